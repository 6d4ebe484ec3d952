import { describe, expect, it, vi } from 'vitest';
import type { DeviceRow } from '../api/documents';
import { type AskPage, DevicePages, pageSize } from './device_pages';

const row = (n: number, status = 'ONLINE') => ({ device_id: `id${n}`, serial_no: `sn${n}`, status }) as DeviceRow;

/** A server with `total` devices whose cursor is the number of the last one; it can skip. */
const fleet = (total: number): AskPage & ReturnType<typeof vi.fn> =>
  vi.fn(async ({ first, after, skip }) => {
    const from = (after === null ? 0 : Number(after) + 1) + skip;
    const to = Math.min(total, from + first);
    return { devicesConnection: { totalCount: total, nodes: Array.from({ length: to - from }, (_, i) => row(from + i)), pageInfo: { hasNextPage: to < total, endCursor: to > from ? String(to - 1) : null } } };
  }) as never;

const settled = (pages: DevicePages) => vi.waitFor(() => expect(pages.loading).toBe(false));

describe('a long list', () => {
  it('has its full height after the first page, and loads no more than is looked at', async () => {
    const ask = fleet(100_000);
    const pages = new DevicePages(ask, {}, () => {});
    pages.want(0, 1);
    await settled(pages);
    expect(pages.length).toBe(100_000);
    expect(pages.rows.length).toBe(pageSize);
    expect(ask).toHaveBeenCalledTimes(1);
  });
  it('goes along the cursor while one scrolls', async () => {
    const ask = fleet(5000);
    const pages = new DevicePages(ask, { model: 'TX' }, () => {});
    pages.want(0, 1);
    await settled(pages);
    pages.want(150, 250);
    await settled(pages);
    expect(pages.rows[249]?.serial_no).toBe('sn249');
    expect(ask).toHaveBeenCalledTimes(2);
    expect(ask.mock.calls[1]![0]).toMatchObject({ model: 'TX', after: String(pageSize - 1), skip: 0 });
  });
  it('jumps to a row far below, and asks for nothing in between', async () => {
    const ask = fleet(100_000);
    const pages = new DevicePages(ask, {}, () => {});
    pages.want(0, 1);
    await settled(pages);
    pages.want(99_950, 100_010);
    await settled(pages);
    expect(pages.rows[99_999]?.serial_no).toBe('sn99999');
    expect(pages.rows[50_000]).toBeUndefined();
    expect(ask).toHaveBeenCalledTimes(2);
    expect(pages.length).toBe(100_000);
  });
  it('trusts the rows more than the count once the end is reached', async () => {
    const ask: AskPage = async () => ({ devicesConnection: { totalCount: 10, nodes: [row(1), row(2)], pageInfo: { hasNextPage: false, endCursor: '2' } } });
    const pages = new DevicePages(ask, {}, () => {});
    pages.want(0, 1);
    await settled(pages);
    expect(pages.length).toBe(2);
  });
  it('stops at an error, keeps what it has, and goes on when asked to', async () => {
    const good = fleet(1000);
    let broken = false;
    const pages = new DevicePages((v) => (broken ? Promise.reject(new Error('away')) : good(v) as never), {}, () => {});
    pages.want(0, 1);
    await settled(pages);
    broken = true;
    pages.want(0, 500);
    await settled(pages);
    expect(pages.error).toBeTruthy();
    expect(pages.rows.length).toBe(pageSize);
    broken = false;
    pages.retry();
    await settled(pages);
    expect(pages.rows.length).toBeGreaterThanOrEqual(500);
  });
  it('replaces a row that has changed, and ignores one that it does not show', async () => {
    const changed = vi.fn();
    const pages = new DevicePages(fleet(3), {}, changed);
    pages.want(0, 1);
    await settled(pages);
    changed.mockClear();
    pages.live(row(1, 'OFFLINE'));
    expect(pages.rows[1]?.status).toBe('OFFLINE');
    pages.live(row(77));
    expect(changed).toHaveBeenCalledTimes(1);
    expect(pages.rows.length).toBe(3);
  });
});
