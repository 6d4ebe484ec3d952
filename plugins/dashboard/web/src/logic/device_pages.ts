// The rows of a long device list. It has its full height at once; pages are loaded where somebody looks: along the server's
// cursor while one scrolls, by number when one jumps.

import type { DeviceFilter, DevicePage, DeviceRow } from '../api/documents';

export const pageSize = 200;

export type AskPage = (variables: DeviceFilter & { first: number; after: string | null; skip: number }) => Promise<DevicePage>;

export class DevicePages {
  /** Sparse: what has not come is undefined. */
  rows: (DeviceRow | undefined)[] = [];
  total = 0;
  loaded = 0;
  error: unknown = null;
  loading = false;
  /** The end of the list, once its last page has come. */
  private end: number | null = null;
  private wanted = { from: 0, to: 0 };
  private stopped = false;
  /** The cursor behind each page that has come. */
  private readonly cursors = new Map<number, string | null>();
  private readonly place = new Map<string, number>();

  /** `changed` is called after every page and every live row. */
  constructor(
    private readonly ask: AskPage,
    private readonly filter: DeviceFilter,
    private readonly changed: () => void,
  ) {}

  /** How many rows the list has: all that match, or those that came when the count was too old. */
  get length() {
    return this.end ?? Math.max(this.total, this.rows.length);
  }

  /** Sees to it that the rows `from` to before `to` are here, or on their way; what was wanted before is not any more. */
  want(from: number, to: number) {
    this.wanted = { from: Math.max(0, from), to };
    if (!this.loading) void this.load();
  }

  retry() {
    this.error = null;
    this.want(this.wanted.from, this.wanted.to);
  }

  stop() {
    this.stopped = true;
  }

  private missing(): number | null {
    const last = Math.ceil(Math.min(this.wanted.to, Math.max(this.length, 1)) / pageSize);
    for (let page = Math.floor(this.wanted.from / pageSize); page < last; page++) if (!this.cursors.has(page)) return page;
    return null;
  }

  private async load() {
    this.loading = true;
    for (let page = this.missing(); page !== null && !this.stopped && !this.error; page = this.missing()) {
      try {
        const cursor = this.cursors.get(page - 1);
        const { devicesConnection: got } = await this.ask({ ...this.filter, first: pageSize, after: cursor ?? null, skip: cursor ? 0 : page * pageSize });
        if (this.stopped) return;
        got.nodes.forEach((row, i) => {
          this.place.set(row.device_id, page! * pageSize + i);
          this.rows[page! * pageSize + i] = row;
        });
        this.loaded += got.nodes.length;
        this.total = got.totalCount;
        this.cursors.set(page, got.pageInfo.endCursor);
        if (!got.pageInfo.hasNextPage) this.end = page * pageSize + got.nodes.length;
      } catch (trouble) {
        this.error = trouble;
      }
      this.changed();
    }
    this.loading = false;
    if (!this.stopped) this.changed();
  }

  /** A row has changed; one that is not shown is ignored. */
  live(row: DeviceRow) {
    const at = this.place.get(row.device_id);
    if (at === undefined) return;
    this.rows[at] = row;
    this.changed();
  }
}
