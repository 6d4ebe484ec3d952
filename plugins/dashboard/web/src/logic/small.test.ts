import { describe, expect, it } from 'vitest';
import { keyboard } from './keys';
import { newPassword } from './password';
import { Series, shares } from './series';

describe('a series', () => {
  it('forgets its oldest samples', () => {
    const s = new Series(1, 3);
    for (let t = 1; t <= 5; t++) s.push(t, t * 10);
    expect(s.columns).toEqual([[3, 4, 5], [30, 40, 50]]);
  });
  it('ignores a sample that comes late', () => {
    const s = new Series(2, 9);
    s.push(5, 1, 2);
    s.push(5, 3, 4);
    s.push(4, 3, 4);
    expect(s.columns).toEqual([[5], [1], [2]]);
  });
});

describe('shares of a bar', () => {
  it('sum to 100, and the smallest part can be seen', () => {
    const s = shares([9999, 1, 0]);
    expect(s.reduce((a, b) => a + b)).toBeCloseTo(100);
    expect(s[1]).toBeGreaterThan(0.5);
    expect(s[2]).toBe(0);
  });
  it('of nothing are nothing', () => expect(shares([0, 0])).toEqual([0, 0]));
});

describe('keys', () => {
  const stroke = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, typing: false, at: 0, ...more });
  it('g and a letter go to a page, but not when the letter comes late', () => {
    const read = keyboard();
    read(stroke('g', { at: 0 }));
    expect(read(stroke('d', { at: 500 }))).toEqual({ go: '/devices' });
    read(stroke('g', { at: 1000 }));
    expect(read(stroke('d', { at: 9000 }))).toBeNull();
  });
  it('nothing happens while somebody types, but for Ctrl K', () => {
    const read = keyboard();
    expect(read(stroke('/', { typing: true }))).toBeNull();
    expect(read(stroke('k', { typing: true, ctrlKey: true }))).toBe('palette');
  });
  it('slash finds and question mark helps', () => {
    const read = keyboard();
    expect(read(stroke('/'))).toBe('find');
    expect(read(stroke('?'))).toBe('help');
  });
});

describe('a new password', () => {
  it('has 12 to 256 bytes, counted as the server counts', () => {
    expect(newPassword.safeParse('elevenchars').success).toBe(false);
    expect(newPassword.safeParse('twelve chars').success).toBe(true);
    expect(newPassword.safeParse('é'.repeat(6)).success).toBe(true);
    expect(newPassword.safeParse('é'.repeat(129)).success).toBe(false);
  });
});
