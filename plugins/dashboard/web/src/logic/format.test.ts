import { describe, expect, it } from 'vitest';
import { ago, bytes, digest, moment, percent, short, span } from './format';

describe('numbers', () => {
  it.each([[0, '0'], [7.25, '7.3'], [950, '950'], [12_430, '12k'], [1_240, '1.2k'], [999_960, '1.0M'], [3_100_000, '3.1M']])('%d is %s', (n, text) => expect(short(n)).toBe(text));
  it.each([[0, '0 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [5 * 1048576, '5.0 MiB'], [3 * 2 ** 30, '3.0 GiB']])('%d bytes are %s', (n, text) => expect(bytes(n)).toBe(text));
  it.each([[0, '0 %'], [33.333, '33.3 %'], [99.99, '100 %'], [50, '50 %']])('%d percent are %s', (n, text) => expect(percent(n)).toBe(text));
});

describe('times', () => {
  it.each([[0, '0 s'], [59, '59 s'], [725, '12 min 5 s'], [3600, '1 h'], [273_600, '3 d 4 h']])('%d seconds are %s', (n, text) => expect(span(n)).toBe(text));
  const now = Date.parse('2026-11-24T12:00:00Z');
  it.each([['2026-11-24T11:59:58Z', 'now'], ['2026-11-24T11:59:20Z', '40 s ago'], ['2026-11-24T09:30:00Z', '2 h ago'], ['2026-11-20T12:00:00Z', '4 d ago'], ['2026-11-24T12:30:00Z', 'in 30 min']])('%s was %s', (at, text) => expect(ago(at, now)).toBe(text));
  it('are shown in the zone that is asked for', () => {
    expect(moment('2026-11-24T23:30:00Z', 'Asia/Tokyo')).toContain('25');
    expect(moment('2026-11-24T23:30:00Z', 'UTC')).toContain('24');
  });
});

it('a digest is shortened in its middle', () => expect(digest('sha256:0123456789abcdef0123')).toBe('01234567…0123'));
