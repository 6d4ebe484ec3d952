// Time series as uPlot wants them: columns of equal length, the oldest samples leaving at the front.

export class Series {
  readonly columns: number[][];

  /** `size` samples at most; `width` values beside the time. */
  constructor(
    width: number,
    private readonly size: number,
  ) {
    this.columns = Array.from({ length: width + 1 }, () => []);
  }

  /** One sample. A moment that is not newer than the last one is ignored: answers may come late. */
  push(seconds: number, ...values: number[]) {
    const times = this.columns[0]!;
    if (times.length && seconds <= times[times.length - 1]!) return;
    [seconds, ...values].forEach((v, i) => {
      const column = this.columns[i]!;
      column.push(v);
      if (column.length > this.size) column.shift();
    });
  }

  get length() {
    return this.columns[0]!.length;
  }
}

/** The nth part of the whole, so that parts of a bar sum to 100 and none that exists is invisible. */
export function shares(parts: number[], least = 0.8): number[] {
  const total = parts.reduce((a, b) => a + b, 0);
  if (total === 0) return parts.map(() => 0);
  const raised = parts.map((p) => (p === 0 ? 0 : Math.max(least, (100 * p) / total)));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((r) => (100 * r) / sum);
}
