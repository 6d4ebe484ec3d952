// The rows of a long device list, loaded page by page along the server's cursor. Rows that are not here yet are known by
// number only, so the list has its full height at once; the loader walks towards the row that is looked at.

import type { DeviceFilter, DevicePage, DeviceRow } from '../api/documents';

export const pageSize = 200;

export type AskPage = (variables: DeviceFilter & { first: number; after: string | null }) => Promise<DevicePage>;

export class DevicePages {
  rows: DeviceRow[] = [];
  total = 0;
  error: unknown = null;
  loading = false;
  private cursor: string | null = null;
  private complete = false;
  private wanted = 0;
  private stopped = false;
  private readonly place = new Map<string, number>();

  /** `changed` is called after every page and every live row. */
  constructor(
    private readonly ask: AskPage,
    private readonly filter: DeviceFilter,
    private readonly changed: () => void,
  ) {}

  /** How many rows the list has: all that match, or those that came when the count was too old. */
  get length() {
    return this.complete ? this.rows.length : Math.max(this.total, this.rows.length);
  }

  /** Sees to it that rows before `upto` are here, or on their way. */
  want(upto: number) {
    this.wanted = Math.max(this.wanted, Math.min(upto, Math.max(this.total, pageSize)));
    if (!this.loading) void this.walk();
  }

  retry() {
    this.error = null;
    this.want(this.wanted);
  }

  stop() {
    this.stopped = true;
  }

  private async walk() {
    this.loading = true;
    while (!this.stopped && !this.error && !this.complete && this.rows.length < this.wanted) {
      try {
        const { devicesConnection: page } = await this.ask({ ...this.filter, first: pageSize, after: this.cursor });
        if (this.stopped) return;
        for (const row of page.nodes) {
          if (this.place.has(row.device_id)) continue;
          this.place.set(row.device_id, this.rows.length);
          this.rows.push(row);
        }
        this.total = page.totalCount;
        this.cursor = page.pageInfo.endCursor;
        this.complete = !page.pageInfo.hasNextPage;
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
