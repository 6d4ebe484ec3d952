// The long list: only the rows in view exist; pages are loaded where somebody looks, and the rows that are seen are watched.

import { useVirtualizer } from '@tanstack/react-virtual';
import { useDebouncedValue, useMediaQuery } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'react-router-dom';
import { type CombinedError, useClient, useSubscription } from 'urql';
import { type DeviceFilter, type DeviceRow, DevicesLive, DevicesQuery } from '../api/documents';
import { DevicePages } from '../logic/device_pages';
import { count } from '../logic/format';
import { presence, updateTone } from '../logic/status';
import { Badge } from './badge';
import { Empty, Trouble } from './states';
import { Ago } from './time';

export function DeviceList({ filter }: { filter: DeviceFilter }) {
  const key = JSON.stringify(filter);
  const client = useClient();
  const [, redraw] = useState(0);
  const pages = useMemo(
    () =>
      new DevicePages(
        async (variables) => {
          const { data, error } = await client.query(DevicesQuery, variables, { requestPolicy: 'network-only' }).toPromise();
          if (error || !data) throw error;
          return data;
        },
        filter,
        () => redraw((n) => n + 1),
      ),
    // The filter is a new object each time; its text is what it is.
    [client, key],
  );
  useEffect(() => {
    pages.want(0, 1);
    return () => pages.stop();
  }, [pages]);

  const narrow = useMediaQuery('(max-width: 900px)', false, { getInitialValueInEffect: false });
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: pages.length, getScrollElement: () => scroller.current, estimateSize: () => (narrow ? 74 : 44), overscan: 12 });
  useEffect(() => virtual.measure(), [narrow, virtual]);
  useEffect(() => void scroller.current?.scrollTo({ top: 0 }), [pages]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  // A moment after the last movement: who drags the bar through the list does not ask for all that flies by.
  const [look] = useDebouncedValue(`${first} ${last}`, 60);
  useEffect(() => {
    const [from, to] = look.split(' ').map(Number) as [number, number];
    pages.want(from - 40, to + 60);
  }, [pages, look]);

  const seen = items.map((i) => pages.rows[i.index]?.device_id).filter((id): id is string => Boolean(id));
  const [watched] = useDebouncedValue(seen.join(' '), 250);
  useSubscription({ query: DevicesLive, variables: { ids: watched ? watched.split(' ').slice(0, 200) : [] }, pause: !watched }, (_: unknown, next) => {
    pages.live(next.devicesUpdated);
    return next;
  });

  const nothing = !pages.loading && !pages.error && pages.length === 0;
  return (
    <>
      <p className="small quiet" style={{ padding: '0 1.1rem 0.6rem' }} role="status">
        {pages.loading && pages.loaded === 0 ? 'Asking' : `${count(pages.length)} ${pages.length === 1 ? 'device' : 'devices'}`}
      </p>
      {pages.error != null && (
        <div style={{ padding: '0 1.1rem 0.8rem' }}>
          <Trouble error={pages.error as CombinedError} retry={() => pages.retry()} />
        </div>
      )}
      {nothing ? (
        <Empty icon="devices" title={key === '{}' ? 'No devices yet' : 'No device matches'}>
          {key === '{}' ? 'A device stands here after its first heartbeat, or when it was added or imported.' : 'Try fewer letters, or clear one of the filters.'}
        </Empty>
      ) : (
        <div className="list" ref={scroller} tabIndex={0} role="region" aria-label="Devices">
          <div className="list-head" aria-hidden="true">
            <span>Serial number</span>
            <span>State</span>
            <span>Model</span>
            <span>Runs</span>
            <span>Newest update</span>
            <span>Tags</span>
            <span>Last seen</span>
          </div>
          <div className="rows" style={{ height: virtual.getTotalSize() }}>
            {items.map((item) => (
              <Row key={item.index} top={item.start} device={pages.rows[item.index]} />
            ))}
          </div>
        </div>
      )}
    </>
  );
}

function Row({ device: d, top }: { device: DeviceRow | undefined; top: number }) {
  const place = { transform: `translateY(${top}px)` };
  if (!d)
    return (
      <div className="row" style={place} aria-hidden="true">
        <div className="bone" />
      </div>
    );
  const here = presence(d);
  return (
    <Link className="row" style={place} to={`/devices/${encodeURIComponent(d.serial_no)}`}>
      <span className="strong clip">{d.serial_no}</span>
      <span>
        {d.registration === 'BLOCKED' || d.registration === 'QUARANTINED' ? <Badge tone="warn" sign="shield">{d.registration === 'BLOCKED' ? 'Blocked' : 'Quarantine'}</Badge> : <Badge tone={here.tone} sign={here.tone === 'good' ? 'dot' : undefined}>{here.word}</Badge>}
      </span>
      <span className="clip">{d.model || <span className="quiet">unknown</span>}</span>
      <span className="clip num">{d.current_firmware || <span className="quiet">unknown</span>}</span>
      <span className="clip" title={d.update_error ?? undefined}>
        {d.update_status ? <Badge tone={updateTone(d.update_status)}>{d.update_status}</Badge> : <span className="quiet">None</span>}
      </span>
      <span className="clip small quiet">{d.tags.join(', ')}</span>
      <span className="quiet small">
        <Ago at={d.ever_seen ? d.last_seen : null} />
      </span>
    </Link>
  );
}
