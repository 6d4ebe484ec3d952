import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { useClient } from 'urql';
import { type DeviceDetail, TimelineQuery } from '../api/documents';
import { told } from '../logic/status';
import { toneSign } from './badge';
import { Icon } from './icon';
import { Empty } from './states';
import { Ago } from './time';
import { say } from './toast';

/** Everything that happened to a device, newest first; older events on request. */
export function Timeline({ id, timeline }: { id: string; timeline: DeviceDetail['timeline'] }) {
  const client = useClient();
  const [older, setOlder] = useState<DeviceDetail['timeline'] | null>(null);
  const [busy, setBusy] = useState(false);
  const page = older?.pageInfo ?? timeline.pageInfo;
  const events = [...timeline.nodes, ...(older?.nodes ?? [])];
  if (events.length === 0)
    return (
      <Empty icon="clock" title="Nothing has happened yet">
        Updates, changed settings and alerts of this device will stand here.
      </Empty>
    );
  const more = async () => {
    if (!page.endCursor) return;
    setBusy(true);
    const { data } = await client.query(TimelineQuery, { id, after: page.endCursor }, { requestPolicy: 'network-only' }).toPromise();
    const next = data?.device?.timeline;
    if (next) setOlder({ nodes: [...(older?.nodes ?? []), ...next.nodes], pageInfo: next.pageInfo });
    else say('Older events could not be loaded.', 'bad');
    setBusy(false);
  };
  return (
    <>
      <ol className="events">
        {events.map((e, i) => {
          const said = told(e);
          return (
            <li key={`${e.at} ${i}`} data-tone={said.tone}>
              <Icon name={e.kind === 'ALERT' ? 'bang' : e.kind === 'SETTING' ? 'settings' : toneSign(said.tone)} size={16} />
              <div>
                {said.text}
                {e.campaign_id && (
                  <>
                    {' '}
                    <Link className="small" to={`/campaigns/${e.campaign_id}`}>
                      campaign
                    </Link>
                  </>
                )}
                {said.more && <div className="small quiet">{said.more}</div>}
              </div>
              <span className="when">
                <Ago at={e.at} />
              </span>
            </li>
          );
        })}
      </ol>
      {page.hasNextPage && (
        <Button variant="default" size="xs" loading={busy} onClick={() => void more()}>
          Older events
        </Button>
      )}
    </>
  );
}
