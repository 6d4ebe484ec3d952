import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const login = () => new Response(JSON.stringify({ access_token: 'fresh', expires_in: 900, role: 'viewer', user: 'ada' }));
const answers = (...statuses: number[]) => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', vi.fn(async (path: string, init?: RequestInit) => {
    if (path.startsWith('/api/v1/auth/')) return login();
    asked.push(String((init?.headers as Record<string, string>).Authorization));
    const status = statuses.shift() ?? 200;
    return new Response('{}', { status, headers: status === 429 ? { 'Retry-After': '1' } : {} });
  }));
  return asked;
};

let client: typeof import('./client');
beforeEach(async () => {
  vi.resetModules();
  vi.useFakeTimers();
  client = await import('./client');
});
afterEach(() => void vi.useRealTimers());

describe('a question', () => {
  it('carries the token', async () => {
    const asked = answers();
    expect((await client.fetchWithToken('/graphql')).status).toBe(200);
    expect(asked).toEqual(['Bearer fresh']);
  });
  it('is asked once more with a new token when it was refused, and not for ever', async () => {
    const asked = answers(401, 401);
    expect((await client.fetchWithToken('/graphql')).status).toBe(401);
    expect(asked).toHaveLength(2);
  });
  it('that came too early waits as long as it is told', async () => {
    const asked = answers(429, 429);
    const answer = client.fetchWithToken('/graphql');
    await vi.advanceTimersByTimeAsync(999);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1001);
    expect((await answer).status).toBe(200);
    expect(asked).toHaveLength(3);
  });
  it('that always comes too early ends in telling somebody', async () => {
    const asked = answers(...Array<number>(20).fill(429));
    const answer = client.fetchWithToken('/graphql');
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await answer).status).toBe(429);
    expect(asked).toHaveLength(6);
  });
});

it('reconnects wait longer each time, and never longer than half a minute', () => expect([0, 1, 3, 10].map(client.patience)).toEqual([1, 2, 8, 30]));
