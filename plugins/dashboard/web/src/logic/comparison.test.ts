import { describe, expect, it } from 'vitest';
import { measure, verdict } from './comparison';

const none = { pairs: 0, worse: 0, better: 0, evidence: 1, needed: 60, shown: false };

describe('a comparison', () => {
  it('names measures for people', () => {
    expect(measure('field:battery')).toBe('battery');
    expect(measure('reconnects')).toBe('reconnects');
  });
  it('says how far it is', () => {
    expect(verdict(none)).toBe('No pairs yet');
    expect(verdict({ ...none, pairs: 9 })).toBe('No difference');
    expect(verdict({ ...none, pairs: 9, worse: 2, better: 4, evidence: 0.4 })).toBe('No harm seen in 6 that differ');
    expect(verdict({ ...none, pairs: 9, worse: 5, better: 1, evidence: Math.sqrt(60) })).toMatch(/^Not shown: (49|50) % of the way$/);
    expect(verdict({ ...none, pairs: 9, worse: 5, better: 1, evidence: 59.99 })).toBe('Not shown: 99 % of the way');
    expect(verdict({ ...none, pairs: 20, worse: 20, evidence: 900, shown: true })).toBe('Worse: shown');
  });
});
