import { Button } from '@mantine/core';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { Link } from 'react-router-dom';
import { useQuery, useSubscription } from 'urql';
import { AlertsQuery, CampaignsLive, CampaignsQuery, type CampaignRow } from '../api/documents';
import type { FleetOverview } from '../api/schema';
import { count, percent, short } from '../logic/format';
import { campaign as campaignState, wentBad } from '../logic/status';
import { useOverview } from '../shell/overview';
import { useMay } from '../shell/who';
import { AlertList } from '../ui/alert_list';
import { Badge } from '../ui/badge';
import { Bar, partsOf } from '../ui/bar';
import { Card, Figure } from '../ui/card';
import { Page } from '../ui/page';
import { Bones, Empty, Notice, Trouble } from '../ui/states';
import { Versions } from '../ui/versions';

const Chart = lazy(() => import('../ui/chart').then((m) => ({ default: m.Chart })));
const chartLines = [
  { label: 'In /s', color: '--busy-fill' },
  { label: 'Out /s', color: '--good-fill', dash: [6, 4] },
];

export function OverviewPage() {
  const { overview, series, version } = useOverview();
  if (!overview)
    return (
      <Page title="Fleet">
        <Bones lines={6} />
      </Page>
    );
  const { fleet, broker } = overview;
  return (
    <Page title="Fleet" lead={fleet.total === 0 ? 'No device has come yet' : `${count(fleet.total)} devices, ${count(fleet.online + fleet.updating)} connected now`}>
      {!broker.ready && (
        <Notice tone="bad">
          <strong>The broker is not ready.</strong> {broker.trouble.join('; ')}
        </Notice>
      )}
      <Figures fleet={fleet} rate={broker.messages_in_per_s + broker.messages_out_per_s} />
      {fleet.total === 0 && <FirstSteps />}
      <div className="columns wide-left">
        <Card title="Messages per second" aside={<span className="quiet small">Seen by this page, up to 10 min</span>}>
          <Suspense fallback={<div className="chart" />}>
            <Chart columns={series.columns.slice(0, 3)} version={version} lines={chartLines} format={short} label={`Message rate: ${short(broker.messages_in_per_s)} in and ${short(broker.messages_out_per_s)} out per second`} />
          </Suspense>
        </Card>
        <Card title="What the fleet runs" aside={<Link to="/devices" className="small">All devices</Link>}>
          <Versions versions={fleet.versions} />
        </Card>
        <ActiveCampaigns />
        <OpenAlerts />
      </div>
    </Page>
  );
}

function Figures({ fleet, rate }: { fleet: FleetOverview; rate: number }) {
  const ended = fleet.updates_succeeded_24h + fleet.updates_failed_24h;
  return (
    <div className="stats">
      <Figure what="Online now" icon="plug" value={count(fleet.online + fleet.updating)} note={`of ${count(fleet.total)}${fleet.never_seen ? `, ${count(fleet.never_seen)} never seen` : ''}`} to="/devices?status=online" />
      <Figure what="Updating" icon="down" value={count(fleet.updating)} note={`${count(fleet.active_campaigns)} campaign${fleet.active_campaigns === 1 ? '' : 's'} running`} to="/devices?status=updating" />
      <Figure
        what="Update success"
        icon="check"
        value={fleet.update_success_percent === null ? '–' : percent(fleet.update_success_percent)}
        tone={fleet.update_success_percent !== null && fleet.update_success_percent < 90 ? 'bad' : undefined}
        note={ended ? `${count(fleet.updates_succeeded_24h)} of ${count(ended)} in 24 h` : 'None ended in 24 h'}
        to="/campaigns"
      />
      <Figure what="Open alerts" icon="alerts" value={count(fleet.open_alerts)} tone={fleet.critical_alerts ? 'bad' : undefined} note={fleet.critical_alerts ? `${count(fleet.critical_alerts)} critical` : 'None critical'} to="/alerts" />
      <Figure what="Messages" icon="broker" value={short(rate)} unit="/s" note="in and out together" to="/broker" />
    </div>
  );
}

function FirstSteps() {
  return (
    <Card title="Bring the first device">
      <div className="stack tight">
        <p>
          A device needs a certificate of your authority and one message on <code>devices/&#123;id&#125;/heartbeat</code>; then it stands here.
        </p>
        <p>
          <code>airmailctl ca device --dir ca tx-0001</code> makes the certificate. <code>airmail-sim --devices 100</code> brings a simulated fleet.
        </p>
      </div>
    </Card>
  );
}

function ActiveCampaigns() {
  const may = useMay('OPERATOR');
  const [live, setLive] = useState<Map<string, CampaignRow>>(new Map());
  const [{ data, error, fetching }, again] = useQuery({ query: CampaignsQuery, variables: { first: 20, status: 'ACTIVE' } });
  useSubscription({ query: CampaignsLive }, (_: unknown, next) => {
    const row = next.campaignsChanged;
    setLive((m) => new Map(m).set(row.campaign_id, row));
    return next;
  });
  const known = data?.campaignsConnection.nodes ?? [];
  const rows = [...[...live.values()].filter((r) => !known.some((k) => k.campaign_id === r.campaign_id)), ...known.map((k) => live.get(k.campaign_id) ?? k)].filter((r) => r.status === 'ACTIVE');
  return (
    <Card title="Campaigns running" aside={<Link to="/campaigns" className="small">All campaigns</Link>}>
      {error && <Trouble error={error} retry={() => again()} />}
      {fetching && !data && <Bones />}
      {data && rows.length === 0 && (
        <Empty icon="campaigns" title="Nothing is being shipped" action={may && <Button component={Link} to="/campaigns/new" variant="light" size="xs">New campaign</Button>} />
      )}
      <div className="stack">
        {rows.map((c) => {
          const said = campaignState(c);
          return (
            <div key={c.campaign_id} className="stack tight">
              <div className="line ends">
                <Link to={`/campaigns/${c.campaign_id}`} className="strong">
                  {c.name}
                </Link>
                <Badge tone={said.tone}>{said.word}</Badge>
              </div>
              <Bar parts={partsOf(c.counters)} label={c.name} />
              <span className="quiet small num">
                {c.firmware_version} · {count(c.counters.finished)} of {count(c.counters.total)} finished · {count(wentBad(c.counters))} failed
              </span>
            </div>
          );
        })}
      </div>
    </Card>
  );
}

function OpenAlerts() {
  const [{ data, error }, again] = useQuery({ query: AlertsQuery, variables: { open: true, first: 6 } });
  // The live count says when there is something else to show.
  const open = useOverview().overview?.fleet.open_alerts;
  const shown = useRef(open);
  useEffect(() => {
    if (shown.current === open) return;
    shown.current = open;
    again({ requestPolicy: 'network-only' });
  }, [open, again]);
  return (
    <Card title="Alerts" aside={<Link to="/alerts" className="small">All alerts</Link>}>
      {error && <Trouble error={error} retry={() => again()} />}
      {data && <AlertList alerts={data.alerts} changed={() => again({ requestPolicy: 'network-only' })} />}
    </Card>
  );
}
