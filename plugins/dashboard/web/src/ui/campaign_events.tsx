import { useEffect, useRef, useState } from 'react';
import { Link } from 'react-router-dom';
import { useClient } from 'urql';
import { CampaignEventsQuery } from '../api/documents';
import type { CampaignEvent } from '../api/schema';
import { plain, type Tone } from '../logic/status';
import { toneSign } from './badge';
import { Card } from './card';
import { Icon } from './icon';
import { Empty } from './states';
import { Ago } from './time';

const most = 200;
const tones: Record<string, Tone> = { completed: 'good', failed: 'bad', rollback: 'back', downloading: 'busy', installing: 'warn', cancelled: 'idle' };

/** The newest events of a campaign. Events are read in order of seq, so what is new is what comes after the last one. */
export function CampaignEvents({ id, version }: { id: string; version: string }) {
  const client = useClient();
  const [events, setEvents] = useState<CampaignEvent[]>([]);
  const seq = useRef(0);
  const reading = useRef(false);
  useEffect(() => {
    if (reading.current) return;
    reading.current = true;
    let live = true;
    const read = async () => {
      for (let full = true; full && live; ) {
        const { data } = await client.query(CampaignEventsQuery, { id, after: seq.current }, { requestPolicy: 'network-only' }).toPromise();
        const next = data?.campaign?.events ?? [];
        full = next.length === 100;
        if (next.length === 0) break;
        seq.current = next.at(-1)!.seq;
        setEvents((before) => [...before, ...next].slice(-most));
      }
      reading.current = false;
    };
    void read();
    return () => {
      live = false;
      reading.current = false;
    };
  }, [client, id, version]);
  return (
    <Card title="What happened">
      {events.length === 0 && <Empty icon="clock" title="Nothing yet" />}
      <ol className="events" style={{ maxHeight: '24rem', overflowY: 'auto' }} tabIndex={0} aria-label="Events, newest first">
        {[...events].reverse().map((e) => {
          const tone = tones[e.status.toLowerCase()] ?? 'wait';
          return (
            <li key={e.seq} data-tone={tone}>
              <Icon name={toneSign(tone)} size={15} />
              <span>
                {e.serial_no ? <Link to={`/devices/${encodeURIComponent(e.serial_no)}`}>{e.serial_no}</Link> : <b>Campaign</b>} {plain(e.stage || e.status).toLowerCase()}
                {e.reason && <span className="quiet">, {plain(e.reason).toLowerCase()}</span>}
              </span>
              <span className="when"><Ago at={e.at} /></span>
            </li>
          );
        })}
      </ol>
    </Card>
  );
}
