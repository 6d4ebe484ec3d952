import { Button, SegmentedControl, Select } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Link, useParams, useSearchParams } from 'react-router-dom';
import { useQuery, useSubscription } from 'urql';
import * as D from '../api/documents';
import type { Cohort, UpdateStatus } from '../api/schema';
import { withParam } from '../logic/device_filter';
import { count, moment, percent, span } from '../logic/format';
import { campaign as said, plain, walk } from '../logic/status';
import { Badge } from '../ui/badge';
import { Bar, Legend, partsOf } from '../ui/bar';
import { CampaignActions } from '../ui/campaign_actions';
import { CampaignEvents } from '../ui/campaign_events';
import { Card, Figure } from '../ui/card';
import { Comparison } from '../ui/comparison';
import { Dialog } from '../ui/dialog';
import { Page } from '../ui/page';
import { Phases } from '../ui/phases';
import { Bones, Empty, Notice, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { Moment, useNow } from '../ui/time';
import { UpdatesTable } from '../ui/updates_table';

export default function Campaign() {
  const id = useParams().id ?? '';
  const [{ data, error }, ask] = useQuery({ query: D.CampaignQuery, variables: { id } });
  const [{ data: live }] = useSubscription({ query: D.CampaignLive, variables: { id } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const [params, setParams] = useSearchParams();
  if (error && !data) return <Page title="Campaign"><Trouble error={error} retry={refresh} /></Page>;
  if (!data) return <Page title="Campaign"><Bones lines={8} /></Page>;
  if (!data.campaign)
    return (
      <Page title="Campaign">
        <Empty icon="campaigns" title="No such campaign" action={<Button component={Link} to="/campaigns" variant="default">All campaigns</Button>} />
      </Page>
    );
  const pushed = live?.campaignProgress;
  // The newer of what was asked for and what was pushed.
  const c = pushed && pushed.campaign_id === data.campaign.campaign_id && pushed.updated_at >= data.campaign.updated_at ? pushed : data.campaign;
  const state = said(c);
  const parts = partsOf(c.counters);
  const show = (status: UpdateStatus) => setParams((p) => withParam(p, 'status', status.toLowerCase()), { replace: true });
  return (
    <Page
      title={c.name}
      badge={<Badge tone={state.tone}>{state.word}</Badge>}
      lead={<>Ships {c.firmware_version}; made by {c.created_by} on <Moment at={c.created_at} /></>}
      aside={<CampaignActions campaign={c} changed={refresh} />}
    >
      {c.stage === 'paused' && <Notice tone="warn" icon="pause"><strong>Paused{c.reason ? `: ${plain(c.reason).toLowerCase()}` : ''}.</strong> <span className="more">No further device is told to update; those under way go on.</span></Notice>}
      {c.stage === 'policy_abort' && <Notice tone="bad"><strong>The campaign stopped itself{c.reason ? `: ${plain(c.reason).toLowerCase()}` : ''}.</strong></Notice>}
      <div className="stats">
        <Figure what="Finished" value={percent(c.progress ?? 0)} note={`${count(c.counters.finished)} of ${count(c.counters.total)}`} />
        <Figure what="Under way" value={count(c.counters.in_flight)} note={`at most ${count(c.max_in_flight)} at once`} />
        <Figure what="Failed" value={percent(c.failure_percent)} tone={c.failure_percent >= 10 ? 'bad' : undefined} note={`${count(c.counters.failed - c.counters.not_counting)} failed, ${count(c.counters.rollback)} rolled back`} />
        <Took campaign={c} />
      </div>
      <Card title="Devices now">
        <div className="stack">
          <Bar parts={parts} label="All devices" />
          <Legend parts={parts} pick={(p) => show(walk[parts.indexOf(p)]?.status ?? 'FAILED')} />
        </div>
      </Card>
      <Card title="Phases"><Phases campaign={c} /></Card>
      <div className="columns">
        <Failures campaign={c} />
        <Cohorts campaign={c} />
      </div>
      <Comparison campaign={c} changed={refresh} />
      <DeviceTable id={id} version={`${c.updated_at} ${c.counters.finished} ${c.counters.in_flight}`} params={params} setParams={setParams} />
      <div className="columns">
        <Targets campaign={c} />
        <CampaignEvents id={id} version={c.updated_at} />
      </div>
    </Page>
  );
}

function Took({ campaign: c }: { campaign: D.CampaignDetail }) {
  const now = useNow();
  if (!c.started_at) return <Figure what="Time" value="–" note={c.start_at ? `starts ${moment(c.start_at)}` : 'not started'} />;
  const end = c.completed_at ? Date.parse(c.completed_at) : now;
  return <Figure what={c.completed_at ? 'Took' : 'Running for'} value={span((end - Date.parse(c.started_at)) / 1000)} note={`since ${moment(c.started_at)}`} />;
}

function Failures({ campaign: c }: { campaign: D.CampaignDetail }) {
  return (
    <Card title="Why devices did not update" flush={c.failures.length > 0}>
      {c.failures.length === 0 ? (
        <Empty icon="check" title="None has failed" />
      ) : (
        <Table
          rows={c.failures}
          id={(f) => f.reason}
          columns={[
            { head: 'Reason', cell: (f) => <><span className="strong">{plain(f.reason)}</span>{f.error_message && <div className="quiet small">{f.error_message}</div>}</> },
            { head: 'Devices', right: true, className: 'num', cell: (f) => count(f.count) },
            { head: 'For example', cell: (f) => <Link to={`/devices/${encodeURIComponent(f.example_serial_no)}`}>{f.example_serial_no}</Link> },
          ]}
        />
      )}
    </Card>
  );
}

const ended = (g: Cohort) => g.completed + g.failed + g.rollback;

function Fare({ cohort: g }: { cohort: Cohort }) {
  return (
    <>
      <Bar thin label={g.from_version} parts={[{ word: 'Completed', n: g.completed, tone: 'good' }, { word: 'Rolled back', n: g.rollback, tone: 'back' }, { word: 'Failed', n: g.failed, tone: 'bad' }, { word: 'Not ended', n: Math.max(0, g.total - ended(g)), tone: 'wait' }]} />
      <span className="small quiet num">{count(ended(g))} of {count(g.total)} ended</span>
    </>
  );
}

function Cohorts({ campaign: c }: { campaign: D.CampaignDetail }) {
  return (
    <Card title="By the version they came from" flush>
      <Table
        rows={c.cohorts}
        id={(g) => g.from_version}
        columns={[
          { head: 'From', className: 'strong num', cell: (g) => g.from_version || 'unknown' },
          { head: 'How they fare', style: { minWidth: '8rem' }, cell: (g) => <Fare cohort={g} /> },
          { head: 'Success', right: true, className: 'num', cell: (g) => (ended(g) ? percent((100 * g.completed) / ended(g)) : '–') },
        ]}
      />
    </Card>
  );
}

function Targets({ campaign: c }: { campaign: D.CampaignDetail }) {
  return (
    <Card title="Plan">
      <dl className="facts">
        <dt>Targets</dt>
        <dd><code>{JSON.stringify(c.target_criteria)}</code></dd>
        <dt>At once</dt>
        <dd className="num">{count(c.max_in_flight)} devices</dd>
        <dt>Per minute</dt>
        <dd className="num">{c.rate_per_min ? `${count(c.rate_per_min)} devices` : 'no limit'}</dd>
        <dt>Late comers</dt>
        <dd>{c.dynamic ? 'take part' : 'stay out'}</dd>
        <dt>Starts</dt>
        <dd><Moment at={c.start_at ?? c.started_at} none="when somebody says so" /></dd>
        <dt>Ends</dt>
        <dd><Moment at={c.expires_at} none="when every device has finished" /></dd>
        <dt>Firmware</dt>
        <dd><Link to="/firmware">{c.firmware_version}</Link></dd>
        <dt>Campaign id</dt>
        <dd><code>{c.campaign_id}</code></dd>
      </dl>
    </Card>
  );
}

/** The devices of the campaign, page by page; asked for anew when the campaign moves, at most every two seconds. */
function DeviceTable({ id, version, params, setParams }: { id: string; version: string; params: URLSearchParams; setParams: ReturnType<typeof useSearchParams>[1] }) {
  const status = (params.get('status')?.toUpperCase() || undefined) as UpdateStatus | undefined;
  const [trail, setTrail] = useState<(string | null)[]>([null]);
  const [row, setRow] = useState<D.UpdateRow | null>(null);
  const [{ data, error, fetching }, ask] = useQuery({ query: D.CampaignDevicesQuery, variables: { id, first: 50, after: trail.at(-1), status } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  useEffect(() => setTrail([null]), [status]);
  const second = Math.floor(useNow() / 2000);
  const [shown, setShown] = useState(version);
  useEffect(() => {
    if (shown === version) return;
    setShown(version);
    refresh();
    // Only the clock decides when; the version says whether.
  }, [second]);
  const page = data?.campaign?.devices;
  const choices = [{ value: '', label: 'All' }, ...walk.map((w) => ({ value: w.status.toLowerCase(), label: w.word }))];
  return (
    <Card
      title="Devices"
      flush
      aside={
        <>
          <div className="wide-only"><SegmentedControl size="xs" aria-label="State of the devices shown" data={choices} value={params.get('status') ?? ''} onChange={(v) => setParams((p) => withParam(p, 'status', v), { replace: true })} /></div>
          <Select className="narrow-only" aria-label="State of the devices" data={choices} value={params.get('status') ?? ''} onChange={(v) => setParams((p) => withParam(p, 'status', v), { replace: true })} w={150} />
        </>
      }
    >
      {error && <Trouble error={error} retry={refresh} />}
      {fetching && !page && <div className="body"><Bones lines={4} /></div>}
      {page && <UpdatesTable rows={page.nodes} of="campaign" changed={refresh} explain={setRow} />}
      {page && (trail.length > 1 || page.pageInfo.hasNextPage) && (
        <div className="line ends" style={{ padding: '0.6rem 1.1rem' }}>
          <span className="quiet small num">Page {trail.length}</span>
          <div className="line">
            <Button size="xs" variant="default" disabled={trail.length === 1} onClick={() => setTrail(trail.slice(0, -1))}>Before</Button>
            <Button size="xs" variant="default" disabled={!page.pageInfo.hasNextPage} onClick={() => setTrail([...trail, page.pageInfo.endCursor])}>Next</Button>
          </div>
        </div>
      )}
      {row && <WhyHere id={id} device={row.serial_no} close={() => setRow(null)} />}
    </Card>
  );
}

function WhyHere({ id, device, close }: { id: string; device: string; close: () => void }) {
  const [{ data, error }] = useQuery({ query: D.CampaignExplain, variables: { id, device }, requestPolicy: 'network-only' });
  const it = data?.campaign?.explain;
  return (
    <Dialog opened close={close} title={device}>
      {error && <Trouble error={error} />}
      {!data && !error && <Bones />}
      {data && (it ? <p>{it.why}</p> : <p>This device is not among the campaign&rsquo;s targets.</p>)}
    </Dialog>
  );
}
