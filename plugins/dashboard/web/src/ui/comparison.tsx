import { Button, Checkbox, Select } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import * as D from '../api/documents';
import { measure, verdict } from '../logic/comparison';
import { count, percent, span } from '../logic/format';
import { useMay } from '../shell/who';
import { Card } from './card';
import { Dialog } from './dialog';
import { Empty, Notice } from './states';
import { Table } from './table';
import { Moment } from './time';
import { answered } from './toast';

/** The updated devices of a campaign against those that wait: what the broker saw of both over the same minutes. */
export function Comparison({ campaign: c, changed }: { campaign: D.CampaignDetail; changed: () => void }) {
  const may = useMay('OPERATOR');
  const [asking, setAsking] = useState(false);
  const it = c.comparison;
  const over = c.status === 'COMPLETED' || c.status === 'CANCELLED';
  if (!it && over) return null;
  return (
    <Card title="Updated devices against the others" flush={it !== null} aside={!it && may && <Button size="xs" variant="default" onClick={() => setAsking(true)}>Compare</Button>}>
      {it ? (
        <>
          {it.alarm && (
            <Notice tone="bad">
              <strong>Updated devices are worse in {measure(it.alarm)}.</strong> <span className="more">Shown <Moment at={it.alarm_at} />{it.gate ? '; the campaign paused itself' : ''}.</span>
            </Notice>
          )}
          <Table
            rows={it.measures}
            id={(m) => m.measure}
            columns={[
              { head: 'What', cell: (m) => <><span className="strong">{measure(m.measure)}</span><div className="quiet small">{m.harm === 'HIGHER' ? 'more is worse' : 'less is worse'}</div></> },
              { head: 'Pairs', right: true, className: 'num', cell: (m) => count(m.pairs) },
              { head: 'Worse', right: true, className: 'num', cell: (m) => count(m.worse) },
              { head: 'Better', right: true, className: 'num', cell: (m) => count(m.better) },
              { head: 'Verdict', cell: (m) => verdict(m) },
            ]}
          />
          <p className="small quiet" style={{ padding: '0.6rem 1.1rem', margin: 0 }}>
            Each pair is watched {span(it.window_s)}; a false alarm has a chance of {percent(100 * it.alpha)}, however often one looks.{it.gate ? ' A difference pauses the campaign.' : ''}
          </p>
        </>
      ) : (
        <Empty icon="devices" title="Not compared">Pairs of an updated device and one that waits can be watched for reconnects and errors that no device reports.</Empty>
      )}
      <Ask id={c.campaign_id} opened={asking} close={() => setAsking(false)} changed={changed} />
    </Card>
  );
}

function Ask({ id, opened, close, changed }: { id: string; opened: boolean; close: () => void; changed: () => void }) {
  const [window, setWindow] = useState<string | null>('10m');
  const [gate, setGate] = useState(true);
  const [{ fetching }, compare] = useMutation(D.CompareCampaign);
  const begin = async () => {
    if (!answered(await compare({ id, window: window ?? undefined, gate }), 'Compared from now on')) return;
    close();
    changed();
  };
  return (
    <Dialog opened={opened} close={close} title="Compare updated devices with the others">
      <div className="stack">
        <Select label="Watch each pair for" data={[{ value: '1m', label: '1 minute' }, { value: '10m', label: '10 minutes' }, { value: '1h', label: '1 hour' }]} value={window} onChange={setWindow} allowDeselect={false} />
        <Checkbox label="Pause the campaign when the updated devices are shown to be worse" checked={gate} onChange={(e) => setGate(e.currentTarget.checked)} />
        <p className="small quiet">It is begun once for a campaign: a test that is begun again says less than it claims.</p>
        <div className="line ends"><Button variant="default" onClick={close}>Not now</Button><Button loading={fetching} onClick={begin}>Compare</Button></div>
      </div>
    </Dialog>
  );
}
