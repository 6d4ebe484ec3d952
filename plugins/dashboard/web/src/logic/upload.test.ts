import { describe, expect, it } from 'vitest';
import { Refused } from '../api/auth';
import { pause, type Progress, takeBack, upload, type Wire } from './upload';

const file = new File([new Uint8Array(1000)], 'pump.release', { lastModified: 7 });
const never = new AbortController().signal;
const made = { firmware_id: 'f', version: 'v1.1.0', model: 'TX-100', known: false };
const broken = () => new Refused(0, '', 'broken');
const memory = () => {
  const kept = new Map<string, string>();
  return { kept, getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v), removeItem: (k: string) => void kept.delete(k) };
};

/** A broker that has `there` bytes and cuts the connection after each of `cuts` more. */
function wire(cuts: number[], there = 0) {
  const seen = { from: [] as number[], begun: 0, finished: 0, removed: 0 };
  const it: Wire = {
    begin: async () => (seen.begun++, { id: 'u', offset: there }),
    where: async () => there,
    append: async (_, f, offset, sent) => {
      expect(offset).toBe(there);
      seen.from.push(offset);
      const cut = cuts.shift();
      there = cut === undefined ? f.size : there + cut;
      sent(there - offset);
      if (cut !== undefined) throw broken();
      return there;
    },
    finish: async () => (seen.finished++, made),
    remove: async () => void seen.removed++,
  };
  return { it, seen };
}
const noWait = async () => undefined;

describe('an upload', () => {
  it('goes on where the broker says it was cut, as often as it takes', async () => {
    const { it: w, seen } = wire([300, 0, 250]);
    const told: Progress[] = [];
    expect(await upload(file, (p) => told.push(p), never, w, memory(), noWait)).toEqual(made);
    expect(seen).toEqual({ from: [0, 300, 300, 550], begun: 1, finished: 1, removed: 0 });
    expect(told.filter((p) => p.waiting).length).toBe(3);
    expect(told.at(-1)?.sent).toBe(1000);
  });

  it('is found again when the same file is chosen after the page was closed', async () => {
    const m = memory();
    const stop = new AbortController();
    const first = wire([400]);
    await expect(upload(file, () => undefined, stop.signal, first.it, m, async () => stop.abort())).rejects.toMatchObject({ code: 'aborted' });
    expect(first.seen.removed).toBe(0);
    const second = wire([], 400);
    await upload(file, () => undefined, never, second.it, m, noWait);
    expect(second.seen).toEqual({ from: [400], begun: 0, finished: 1, removed: 0 });
    expect(m.kept.size).toBe(0);
  });

  it('is taken back when somebody stops it', async () => {
    const m = memory();
    const stop = new AbortController();
    const { it: w, seen } = wire([10]);
    await expect(upload(file, () => undefined, stop.signal, w, m, async () => stop.abort(takeBack))).rejects.toMatchObject({ code: 'aborted' });
    expect(seen.removed).toBe(1);
    expect(m.kept.size).toBe(0);
  });

  it('ends at once when the release is refused, and when the broker has given it up', async () => {
    const { it: w } = wire([]);
    await expect(upload(file, () => undefined, never, { ...w, finish: async () => Promise.reject(new Refused(422, 'firmware.unsigned', 'no')) }, memory(), noWait)).rejects.toMatchObject({ status: 422 });
    const gone = wire([100]);
    await expect(upload(file, () => undefined, never, { ...gone.it, where: async () => null }, memory(), noWait)).rejects.toMatchObject({ code: 'firmware.no_upload' });
  });

  it('asks for the end again when its answer was lost', async () => {
    let n = 0;
    const { it: w } = wire([]);
    await upload(file, () => undefined, never, { ...w, finish: async () => (n++ === 0 ? Promise.reject(broken()) : made) }, memory(), noWait);
    expect(n).toBe(2);
  });

  it('waits longer each time, ten seconds at most', () => expect([0, 1, 2, 9].map(pause)).toEqual([500, 1000, 2000, 10_000]));
});
