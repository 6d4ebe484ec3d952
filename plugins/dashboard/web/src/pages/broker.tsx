import { Button, Select, TextInput } from '@mantine/core';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { AclExplainQuery, KickSession, SessionsQuery } from '../api/documents';
import type { AclAction, BrokerOverview } from '../api/schema';
import { bytes, count, short } from '../logic/format';
import { useOverview } from '../shell/overview';
import { useMay } from '../shell/who';
import { Badge } from '../ui/badge';
import { Card, Figure } from '../ui/card';
import { Page } from '../ui/page';
import { SessionsTable } from '../ui/sessions_table';
import { Bones, Empty, Notice, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { Ago, Moment } from '../ui/time';
import { answered } from '../ui/toast';

const Chart = lazy(() => import('../ui/chart').then((m) => ({ default: m.Chart })));
const byteLines = [
  { label: 'In /s', color: '--busy-fill' },
  { label: 'Out /s', color: '--good-fill', dash: [6, 4] },
];
const connectionLines = [{ label: 'Connections', color: '--warn-fill' }];

export default function Broker() {
  const { overview, series, version } = useOverview();
  if (!overview) return <Page title="Broker"><Bones lines={6} /></Page>;
  const b = overview.broker;
  return (
    <Page title="Broker" badge={<Badge tone={b.ready ? 'good' : 'bad'}>{b.ready ? 'Ready' : 'Not ready'}</Badge>} lead={<>Airmail {b.version}, started <Ago at={b.started_at} /></>}>
      {b.trouble.map((t) => <Notice key={t} tone="bad">{t}</Notice>)}
      <div className="stats">
        <Figure what="Connections" value={count(b.connections)} note={`MQTT; ${count(b.sessions)} sessions`} />
        <Figure what="Messages in" value={short(b.messages_in_per_s)} unit="/s" note={`${bytes(Math.round(b.bytes_in_per_s))}/s`} />
        <Figure what="Messages out" value={short(b.messages_out_per_s)} unit="/s" note={`${bytes(Math.round(b.bytes_out_per_s))}/s`} />
        <Figure what="Queued" value={short(b.queue_depth)} note="store and plugins" />
        <Figure what="Dropped" value={short(b.messages_dropped)} tone={b.messages_dropped > 0 ? 'warn' : undefined} note="since it started" />
        <Figure what="Store" value={bytes(b.store_used_bytes)} note="the durable log" />
      </div>
      <div className="columns">
        <Card title="Bytes per second"><Suspense fallback={<div className="chart" />}><Chart columns={[series.columns[0]!, series.columns[4]!, series.columns[5]!]} version={version} lines={byteLines} format={(n) => bytes(Math.round(n))} label="Bytes in and out per second" /></Suspense></Card>
        <Card title="Connections"><Suspense fallback={<div className="chart" />}><Chart columns={[series.columns[0]!, series.columns[3]!]} version={version} lines={connectionLines} format={short} label={`MQTT connections, now ${b.connections}`} /></Suspense></Card>
        <Listeners broker={b} />
        <Certificates broker={b} />
      </div>
      <Sessions />
      <AclQuestion />
    </Page>
  );
}

function Listeners({ broker: b }: { broker: BrokerOverview }) {
  return (
    <Card title="Listeners" flush>
      {b.listeners.length === 0 ? <Empty icon="broker" title="No listener is open" /> : (
        <Table
          rows={b.listeners}
          id={(l) => `${l.name} ${l.address} ${l.port}`}
          columns={[
            { head: 'Listener', className: 'strong', cell: (l) => l.name },
            { head: 'Address', className: 'num', cell: (l) => l.address || 'all' },
            { head: 'Port', right: true, className: 'num', cell: (l) => l.port },
          ]}
        />
      )}
    </Card>
  );
}

function Certificates({ broker: b }: { broker: BrokerOverview }) {
  return (
    <Card title="Certificates it shows" flush>
      {b.certificates.length === 0 ? <Empty icon="shield" title="None">No listener has a certificate.</Empty> : (
        <Table
          rows={b.certificates}
          id={(c) => `${c.name} ${c.subject}`}
          columns={[
            { head: 'Of', cell: (c) => <><span className="strong">{c.name}</span>{!c.name.includes(c.subject) && <div className="quiet small">{c.subject}</div>}</> },
            { head: 'Ends', cell: (c) => <><Badge tone={c.days_left < 7 ? 'bad' : c.days_left < 30 ? 'warn' : 'good'}>{c.days_left < 0 ? 'Ended' : `${count(c.days_left)} days`}</Badge> <div className="quiet small"><Moment at={c.not_after} /></div></> },
          ]}
        />
      )}
    </Card>
  );
}

/** Sessions with the longest queues first: a slow consumer is one whose messages wait although it is connected. */
function Sessions() {
  const may = useMay('OPERATOR');
  const [identity, setIdentity] = useState('');
  const [asked, setAsked] = useState('');
  const [{ data, error }, ask] = useQuery({ query: SessionsQuery, variables: { identity: asked || undefined, first: 100 }, requestPolicy: 'network-only' });
  const [, kick] = useMutation(KickSession);
  useEffect(() => {
    const timer = setInterval(() => ask({ requestPolicy: 'network-only' }), 5000);
    return () => clearInterval(timer);
  }, [ask]);
  const sorted = [...(data?.sessions.nodes ?? [])].sort((a, b) => b.queued + b.in_flight - a.queued - a.in_flight);
  const slow = sorted.filter((s) => s.connected && s.queued > 0).length;
  return (
    <Card
      title="Sessions"
      flush
      aside={
        <form className="line" role="search" onSubmit={(e) => { e.preventDefault(); setAsked(identity.trim()); }}>
          {data && <span className="quiet small">{count(data.sessions.totalCount)} in all{slow > 0 && `, ${count(slow)} slow`}; the longest queues first</span>}
          <TextInput data-find size="xs" aria-label="Identity" placeholder="Identity, then Enter" value={identity} onChange={(e) => setIdentity(e.currentTarget.value)} />
        </form>
      }
    >
      {error && <Trouble error={error} retry={() => ask()} />}
      {data && sorted.length === 0 && <Empty icon="plug" title="No session">{asked ? 'No client of this identity has one.' : 'No client is connected, and none has left a session behind.'}</Empty>}
      {sorted.length > 0 && (
        <SessionsTable
          withIdentity
          sessions={sorted}
          aside={may ? (s) => s.connected && s.identity && <Button size="compact-xs" variant="default" aria-label={`Disconnect ${s.identity}`} onClick={async () => answered(await kick({ identity: s.identity }), `${s.identity} is disconnected`) && ask({ requestPolicy: 'network-only' })}>Disconnect</Button> : undefined}
        />
      )}
    </Card>
  );
}

/** May this identity do that? The rule that says so comes with the answer. */
function AclQuestion() {
  const [form, setForm] = useState({ identity: '', action: 'PUBLISH' as AclAction, topic: '' });
  const [asked, setAsked] = useState<typeof form | null>(null);
  const [{ data, error, fetching }] = useQuery({ query: AclExplainQuery, variables: asked ?? form, pause: !asked, requestPolicy: 'network-only' });
  return (
    <Card title="Why was it refused?">
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          if (form.identity.trim() && form.topic.trim()) setAsked({ ...form, identity: form.identity.trim(), topic: form.topic.trim() });
        }}
      >
        <div className="filters" style={{ padding: 0 }}>
          <TextInput label="Identity" placeholder="tx-0001" value={form.identity} onChange={(e) => setForm({ ...form, identity: e.currentTarget.value })} />
          <Select label="Wants to" allowDeselect={false} data={[{ value: 'PUBLISH', label: 'publish' }, { value: 'SUBSCRIBE', label: 'subscribe' }, { value: 'RECEIVE', label: 'receive' }]} value={form.action} onChange={(v) => setForm({ ...form, action: (v ?? 'PUBLISH') as AclAction })} w={140} />
          <TextInput className="wide" label="Topic or filter" placeholder="devices/tx-0001/heartbeat" value={form.topic} onChange={(e) => setForm({ ...form, topic: e.currentTarget.value })} />
          <Button type="submit" variant="default" loading={fetching && asked !== null}>Ask</Button>
        </div>
        {error && <Trouble error={error} />}
        {asked && data && (
          <Notice tone={data.aclExplain.allowed ? 'good' : 'bad'} icon={data.aclExplain.allowed ? 'check' : 'cross'}>
            <strong>{data.aclExplain.allowed ? 'Allowed' : 'Refused'}</strong> <span className="more">by <code>{data.aclExplain.rule || 'no rule: the default'}</code></span>
          </Notice>
        )}
      </form>
    </Card>
  );
}
