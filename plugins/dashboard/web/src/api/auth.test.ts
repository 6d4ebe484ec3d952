import { beforeEach, describe, expect, it, vi } from 'vitest';

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) => new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
const token = (n: number, expires_in = 900) => answer(200, { access_token: `t${n}`, expires_in, role: 'operator', user: 'ada' });

let auth: typeof import('./auth');
beforeEach(async () => {
  vi.resetModules();
  vi.useRealTimers();
  auth = await import('./auth');
});

describe('login', () => {
  it('keeps the token in memory and tells who listens', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => token(1)));
    const told = vi.fn();
    auth.session.subscribe(told);
    await auth.login('ada', 'correct horse battery');
    expect(auth.session.get()).toMatchObject({ user: 'ada', role: 'OPERATOR', token: 't1' });
    expect(told).toHaveBeenCalledOnce();
  });
  it('passes the refusal on with its code and how long to wait', async () => {
    vi.stubGlobal('fetch', vi.fn(async () => answer(429, { code: 'auth.locked', detail: 'Locked.' }, { 'Retry-After': '30' })));
    await expect(auth.login('ada', 'x')).rejects.toMatchObject({ status: 429, code: 'auth.locked', retryAfter: 30 });
    expect(auth.session.get()).toBeNull();
  });
});

describe('a fresh token', () => {
  it('is the one at hand while it is good for some time', async () => {
    const fetched = vi.fn(async () => token(1));
    vi.stubGlobal('fetch', fetched);
    await auth.login('ada', 'p');
    expect(await auth.freshToken()).toBe('t1');
    expect(fetched).toHaveBeenCalledTimes(1);
  });
  it('is asked for before the old one ends, once for all who ask', async () => {
    let n = 0;
    const fetched = vi.fn(async () => (++n === 1 ? token(1, 30) : token(2)));
    vi.stubGlobal('fetch', fetched);
    await auth.login('ada', 'p');
    expect(await Promise.all([auth.freshToken(), auth.freshToken(), auth.freshToken()])).toEqual(['t2', 't2', 't2']);
    expect(fetched).toHaveBeenCalledTimes(2);
  });
  it('is none when the session has ended, and the login with it', async () => {
    let n = 0;
    vi.stubGlobal('fetch', vi.fn(async () => (++n === 1 ? token(1, 1) : answer(401, { code: 'auth.no_session' }))));
    await auth.login('ada', 'p');
    expect(await auth.freshToken()).toBe('');
    expect(auth.session.get()).toBeNull();
  });
  it('does not end the login while the broker is only out of order', async () => {
    let n = 0;
    vi.stubGlobal('fetch', vi.fn(async () => (++n === 1 ? token(1, 1) : answer(503, {}))));
    await auth.login('ada', 'p');
    await expect(auth.freshToken()).rejects.toMatchObject({ status: 503 });
    expect(auth.session.get()).not.toBeNull();
  });
});

it('a role is enough for what needs it or less', () => {
  expect(auth.atLeast('OPERATOR', 'VIEWER')).toBe(true);
  expect(auth.atLeast('OPERATOR', 'ADMIN')).toBe(false);
  expect(auth.atLeast(undefined, 'VIEWER')).toBe(false);
});
