// Who is logged in. The access token lives in this module's memory and nowhere else; the refresh cookie is the browser's and
// no script can read it. Every holder of a login that can expire asks `freshToken()` first.

import type { Role } from './schema';

export interface Login {
  user: string;
  role: Role;
  token: string;
  /** Milliseconds since the epoch, by this machine's clock. */
  expires: number;
}

/** What a REST path answered instead of success (RFC 9457). */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Seconds to wait, when the server said so. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }
}

/** Seconds before its end at which a token is no longer used. */
const margin = 45;

let current: Login | null = null;
const listeners = new Set<() => void>();

export const session = {
  get: () => current,
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};

function set(login: Login | null) {
  current = login;
  for (const tell of listeners) tell();
}

/** Turns an answer that is no success into a `Refused`. */
export async function refusal(answer: Response): Promise<Refused> {
  const problem = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string; title?: string };
  const wait = Number(answer.headers.get('Retry-After')) || undefined;
  return new Refused(answer.status, problem.code ?? '', problem.detail ?? problem.title ?? `The broker answered ${answer.status}.`, wait);
}

async function post(path: string, body?: unknown): Promise<Response> {
  const answer = await fetch(`/api/v1/auth/${path}`, {
    method: 'POST',
    credentials: 'same-origin',
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function enter(answer: Response): Promise<Login> {
  const it = (await answer.json()) as { access_token: string; expires_in: number; role: string; user: string };
  const login: Login = { user: it.user, role: it.role.toUpperCase() as Role, token: it.access_token, expires: Date.now() + it.expires_in * 1000 };
  set(login);
  return login;
}

export const login = async (user: string, password: string) => enter(await post('login', { user, password }));
export const firstAdmin = async (token: string, user: string, password: string) => enter(await post('setup', { token, user, password }));

export async function logout() {
  await post('logout').catch(() => undefined);
  set(null);
}

/** Is the first administrator still to be made? */
export async function setupIsOpen(): Promise<boolean> {
  const answer = await fetch('/api/v1/auth/setup');
  return answer.ok && ((await answer.json()) as { open: boolean }).open;
}

let refreshing: Promise<Login | null> | null = null;

/**
 * A new token for the cookie; null (and logged out) when there is no session any more. A refresh cookie may be shown once
 * only, so the tabs of one browser take turns.
 */
export function refresh(): Promise<Login | null> {
  const turn = async () => {
    try {
      return await enter(await post('refresh'));
    } catch (trouble) {
      if (!(trouble instanceof Refused) || trouble.status >= 500 || trouble.status === 429) throw trouble;
      set(null);
      return null;
    }
  };
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  refreshing ??= Promise.resolve(locks ? locks.request('airmail-refresh', turn) : turn()).finally(() => (refreshing = null));
  return refreshing;
}

/** A token that is good for some time; '' when nobody is logged in. */
export async function freshToken(): Promise<string> {
  if (current && current.expires - margin * 1000 > Date.now()) return current.token;
  return (await refresh())?.token ?? '';
}

const rank: Record<Role, number> = { VIEWER: 0, OPERATOR: 1, ADMIN: 2 };
export const atLeast = (role: Role | undefined, needs: Role) => role !== undefined && rank[role] >= rank[needs];
