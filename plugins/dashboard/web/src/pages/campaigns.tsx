import { Button, SegmentedControl } from '@mantine/core';
import { useEffect, useState } from 'react';
import { Link, useSearchParams } from 'react-router-dom';
import { useClient, useQuery, useSubscription } from 'urql';
import { type CampaignRow, CampaignsLive, CampaignsQuery } from '../api/documents';
import type { CampaignStatus } from '../api/schema';
import { withParam } from '../logic/device_filter';
import { count } from '../logic/format';
import { campaign as said, wentBad } from '../logic/status';
import { useMay } from '../shell/who';
import { Badge } from '../ui/badge';
import { Bar, partsOf } from '../ui/bar';
import { Card } from '../ui/card';
import { Icon } from '../ui/icon';
import { Page } from '../ui/page';
import { Bones, Empty, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { Ago } from '../ui/time';
import { say } from '../ui/toast';

const states = [
  { value: '', label: 'All' },
  { value: 'ACTIVE', label: 'Running' },
  { value: 'PENDING', label: 'Drafts' },
  { value: 'COMPLETED', label: 'Completed' },
  { value: 'CANCELLED', label: 'Cancelled' },
];

export default function Campaigns() {
  const may = useMay('OPERATOR');
  const client = useClient();
  const [params, setParams] = useSearchParams();
  const status = (params.get('status') ?? '') as CampaignStatus | '';
  const variables = { first: 20, status: status || undefined };
  const [{ data, error, fetching }, ask] = useQuery({ query: CampaignsQuery, variables });
  const [older, setOlder] = useState<typeof data | null>(null);
  const [live, setLive] = useState<Map<string, CampaignRow>>(new Map());
  useEffect(() => setOlder(null), [status]);
  useSubscription({ query: CampaignsLive }, (_: unknown, next) => {
    const row = next.campaignsChanged;
    setLive((m) => new Map(m).set(row.campaign_id, row));
    return next;
  });
  const known = [...(data?.campaignsConnection.nodes ?? []), ...(older?.campaignsConnection.nodes ?? [])];
  const fresh = [...live.values()].filter((r) => !known.some((k) => k.campaign_id === r.campaign_id));
  const rows = [...fresh, ...known.map((k) => live.get(k.campaign_id) ?? k)].filter((r) => !status || r.status === status);
  const page = (older ?? data)?.campaignsConnection.pageInfo;

  const more = async () => {
    const { data: next } = await client.query(CampaignsQuery, { ...variables, after: page?.endCursor }).toPromise();
    if (!next) return say('Older campaigns could not be loaded.', 'bad');
    setOlder({ campaignsConnection: { nodes: [...(older?.campaignsConnection.nodes ?? []), ...next.campaignsConnection.nodes], pageInfo: next.campaignsConnection.pageInfo } });
  };
  return (
    <Page
      title="Campaigns"
      lead="Updates on their way to many devices, phase by phase"
      aside={may && <Button component={Link} to="/campaigns/new" leftSection={<Icon name="plus" size={16} />}>New campaign</Button>}
    >
      <div className="line"><SegmentedControl aria-label="Which campaigns" data={states} value={status} onChange={(v) => setParams((p) => withParam(p, 'status', v), { replace: true })} /></div>
      <Card title={states.find((s) => s.value === status)?.label ?? 'All'} flush>
        {error && <Trouble error={error} retry={() => ask()} />}
        {fetching && !data && <div className="body"><Bones lines={5} /></div>}
        {data && rows.length === 0 && (
          <Empty icon="campaigns" title={status ? 'None in this state' : 'No campaign yet'} action={may && !status && <Button component={Link} to="/campaigns/new" variant="light">Plan the first</Button>}>
            A campaign brings one release to many devices: a few first, the rest when those are well.
          </Empty>
        )}
        {rows.length > 0 && (
          <Table
            rows={rows}
            id={(c) => c.campaign_id}
            columns={[
              { head: 'Campaign', className: 'strong', cell: (c) => <Link to={`/campaigns/${c.campaign_id}`}>{c.name}</Link> },
              { head: 'State', cell: (c) => <Badge tone={said(c).tone}>{said(c).word}</Badge> },
              { head: 'Ships', className: 'num', cell: (c) => c.firmware_version },
              { head: 'Progress', style: { minWidth: '9rem' }, cell: (c) => <><Bar thin parts={partsOf(c.counters)} label={c.name} /><span className="small quiet num">{c.progress ?? 0} %</span></> },
              { head: 'Devices', right: true, className: 'num', cell: (c) => count(c.counters.total) },
              { head: 'Failed', right: true, className: 'num', cell: (c) => count(wentBad(c.counters)) },
              { head: 'Made', className: 'small quiet', cell: (c) => <><Ago at={c.created_at} /> by {c.created_by}</> },
            ]}
          />
        )}
        {page?.hasNextPage && <div style={{ padding: '0.6rem 1.1rem' }}><Button variant="default" size="xs" onClick={() => void more()}>Older campaigns</Button></div>}
      </Card>
    </Page>
  );
}
