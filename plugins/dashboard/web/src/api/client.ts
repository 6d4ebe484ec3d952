// The one GraphQL client: POST /graphql for questions, one WebSocket for everything that is live.

import { createClient as createSocket, type Client as Socket } from 'graphql-ws';
import { type AnyVariables, cacheExchange, Client, type CombinedError, fetchExchange, subscriptionExchange } from 'urql';
import { freshToken, refresh } from './auth';

export type SocketState = 'connecting' | 'open' | 'lost';
let state: SocketState = 'connecting';
const watchers = new Set<() => void>();

export const socketState = {
  get: () => state,
  subscribe: (watcher: () => void) => {
    watchers.add(watcher);
    return () => void watchers.delete(watcher);
  },
};

function become(next: SocketState) {
  if (next === state) return;
  state = next;
  for (const tell of watchers) tell();
}

/** Seconds before the nth reconnect, at most; the real one is drawn below it so that a restarted broker is not stormed. */
export const patience = (attempt: number) => Math.min(30, 2 ** attempt);

function openSocket(): Socket {
  return createSocket({
    url: `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/graphql`,
    connectionParams: async () => ({ token: await freshToken() }),
    lazy: true,
    keepAlive: 20_000,
    retryAttempts: Number.POSITIVE_INFINITY,
    // A refused token (4403) is no end: the next connection asks for a fresh one. Only a fault of ours is final.
    shouldRetry: (event) => !(event instanceof CloseEvent && [4400, 4406, 4409].includes(event.code)),
    retryWait: (attempt) => new Promise((go) => setTimeout(go, (0.3 + 0.7 * Math.random()) * patience(attempt) * 1000)),
    on: {
      connecting: () => become(state === 'lost' ? 'lost' : 'connecting'),
      connected: () => become('open'),
      closed: (event) => become((event as CloseEvent).wasClean && (event as CloseEvent).code === 1000 ? 'connecting' : 'lost'),
    },
  });
}

/** How often a question that came too early (429) is asked again before somebody is told. */
const patientTimes = 5;

/**
 * A fetch that carries the token, tries once more with a new one when it was refused, and waits as long as it is told when it
 * has asked too often: scrolling fast through a long list does.
 */
export async function fetchWithToken(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const go = (token: string) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${token}` } });
  let answer = await go(await freshToken());
  if (answer.status === 401) {
    const again = await refresh();
    if (again) answer = await go(again.token);
  }
  for (let i = 0; answer.status === 429 && i < patientTimes; i++) {
    const seconds = Math.min(10, Number(answer.headers.get('Retry-After')) || 1);
    await new Promise((on) => setTimeout(on, seconds * 1000));
    answer = await go(await freshToken());
  }
  return answer;
}

export function makeClient(): { client: Client; close: () => void } {
  const socket = openSocket();
  const client = new Client({
    url: '/graphql',
    fetch: fetchWithToken,
    fetchOptions: { headers: { Accept: 'application/graphql-response+json, application/json' } },
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    exchanges: [
      cacheExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink as never) }),
        }),
      }),
      fetchExchange,
    ],
  });
  return { client, close: () => void socket.dispose() };
}

/** Asks a REST path with the token; used for what is not GraphQL: uploads and exports. */
export const rest = fetchWithToken;

/** What to tell a person about an error, in one sentence. */
export function sentence(error: CombinedError): string {
  if (error.networkError) {
    const status = (error.response as Response | undefined)?.status;
    if (status === 429) return 'Too many questions at once: the broker asks to wait a moment.';
    return status ? `The broker answered ${status}.` : 'The broker cannot be reached.';
  }
  const first = error.graphQLErrors[0];
  if (first?.extensions?.code === 'auth.forbidden') return 'Your role does not allow this.';
  return first?.message ?? error.message;
}

/** The room.errc of an error, '' when it has none. */
export const codeOf = (error: CombinedError | undefined) => String(error?.graphQLErrors[0]?.extensions?.code ?? '');

export type Variables = AnyVariables;
