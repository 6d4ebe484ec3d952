import { describe, expect, it } from 'vitest';
import { added, criteria, empty, form, serials, toInput } from './new_campaign';

const good = { ...empty, name: 'Spring', firmware_id: 'f1' };
const troubles = (v: object) => {
  const r = form.safeParse({ ...good, ...v });
  return r.success ? [] : r.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`);
};

describe('the form', () => {
  it('takes the default phases', () => expect(troubles({})).toEqual([]));
  it('wants a name and a release', () => expect(troubles({ name: ' ', firmware_id: '' })).toHaveLength(2));
  it('wants phases that grow and end at 100 %', () => {
    const p = (percent: number) => ({ percent, soak_min: 1, success_percent: 95 });
    expect(troubles({ phases: [p(10), p(10), p(100)] })).toEqual(['phases.1.percent: More than the phase before']);
    expect(troubles({ phases: [p(10), p(50)] })).toEqual(['phases: The last phase is 100 %']);
    expect(troubles({ phases: [p(0), p(100)] })).toHaveLength(1);
    expect(troubles({ gated: false, phases: [] })).toEqual([]);
  });
  it('takes numbers as inputs give them, as text', () => expect(form.parse({ ...good, max_in_flight: '50' }).max_in_flight).toBe(50));
  it.each(['< v1.1.0', '>= 1.0, < 2.0', 'v1.0.0', ''])('takes the version range "%s"', (fw_version) => expect(troubles({ fw_version })).toEqual([]));
  it('wants the end after the start', () => expect(troubles({ start_at: '2026-11-25T10:00', expires_at: '2026-11-25T09:00' })).toEqual(['expires_at: After the start']));
});

describe('what is sent', () => {
  it('leaves out what was not given', () => expect(criteria({ model: '', fw_version: ' ', tags: [], devices: '' })).toEqual({}));
  it('takes serial numbers in any writing, each once', () => expect(serials('a, b\nc;a\n\n')).toEqual(['a', 'b', 'c']));
  it('says minutes as seconds and the criteria as text', () => {
    const input = toInput({ ...good, fw_version: '< v1.1.0' }, true);
    expect(input.phases?.[0]).toEqual({ percent: 1, soak_s: 600, success_percent: 95 });
    expect(JSON.parse(input.target_criteria!)).toEqual({ fw_version: '< v1.1.0' });
    expect(input).toMatchObject({ start: true });
    expect(input.without_phases).toBeUndefined();
    expect(input.max_in_flight).toBeUndefined();
  });
  it('says it aloud when there are no phases', () => {
    const input = toInput({ ...good, gated: false }, false);
    expect(input.without_phases).toBe(true);
    expect(input.phases).toBeUndefined();
  });
  it('turns the viewer\'s local time into UTC', () => expect(toInput({ ...good, start_at: '2026-11-25T10:00' }, true).start_at).toBe(new Date('2026-11-25T10:00').toISOString()));
});

it('each phase adds what is above the one before', () => {
  expect(added([1, 10, 50, 100].map((percent) => ({ percent })), 1000)).toEqual([10, 90, 400, 500]);
  expect(added([{ percent: 100 }], 0)).toEqual([0]);
});
