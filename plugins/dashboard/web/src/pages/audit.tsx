import { Button, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useClient, useQuery } from 'urql';
import { AuditQuery, AuditVerifyQuery } from '../api/documents';
import { count } from '../logic/format';
import { Badge } from '../ui/badge';
import { Icon } from '../ui/icon';
import { Page } from '../ui/page';
import { Bones, Empty, Notice, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { Moment } from '../ui/time';

export default function Audit() {
  const [find, setFind] = useState({ actor: '', action: '', target: '' });
  const [asked] = useDebouncedValue(find, 250);
  const [trail, setTrail] = useState<(number | undefined)[]>([undefined]);
  useEffect(() => setTrail([undefined]), [asked]);
  const variables = { first: 50, after: trail.at(-1), actor: asked.actor || undefined, action: asked.action || undefined, target: asked.target || undefined };
  const [{ data, error, fetching }, ask] = useQuery({ query: AuditQuery, variables });
  const rows = data?.audit.nodes ?? [];
  const set = (key: keyof typeof find) => (e: React.ChangeEvent<HTMLInputElement>) => setFind({ ...find, [key]: e.currentTarget.value });
  return (
    <Page title="Audit" lead="Who changed what, in a chain that shows when a row is missing" aside={<Verify />}>
      <div className="card">
        <div className="filters" role="search">
          <TextInput data-find label="Who" value={find.actor} onChange={set('actor')} />
          <TextInput label="Did what" placeholder="campaign.cancel" value={find.action} onChange={set('action')} />
          <TextInput className="wide" label="To what" value={find.target} onChange={set('target')} />
        </div>
        {error && <Trouble error={error} retry={() => ask()} />}
        {fetching && !data && <div className="body"><Bones lines={6} /></div>}
        {data && rows.length === 0 && <Empty icon="audit" title="Nothing matches">Whole words are compared; leave a field empty for any.</Empty>}
        {rows.length > 0 && (
          <div className="flush" style={{ overflowX: 'auto' }}>
            <Table
              rows={rows}
              id={(r) => r.seq}
              columns={[
                { head: 'When', className: 'small num', title: (r) => `Row ${r.seq}, request ${r.request_id}`, cell: (r) => <Moment at={r.at} /> },
                { head: 'Who', cell: (r) => <><span className="strong">{r.actor}</span> <span className="quiet small">{r.role.toLowerCase()}</span></> },
                { head: 'Did', cell: (r) => <code>{r.action}</code> },
                { head: 'To', className: 'small', cell: (r) => r.target || <span className="quiet">–</span> },
                { head: 'Outcome', cell: (r) => <Badge tone={/^(ok|done|success|allowed)/.test(r.outcome) ? 'good' : 'bad'}>{r.outcome}</Badge> },
                { head: 'Detail', cell: (r) => <Detail of={r.detail} /> },
              ]}
            />
          </div>
        )}
        {(trail.length > 1 || data?.audit.pageInfo.hasNextPage) && (
          <div className="line" style={{ padding: '0.6rem 1.1rem', justifyContent: 'flex-end' }}>
            <Button size="xs" variant="default" disabled={trail.length === 1} onClick={() => setTrail(trail.slice(0, -1))}>Newer</Button>
            <Button size="xs" variant="default" disabled={!data?.audit.pageInfo.hasNextPage} onClick={() => setTrail([...trail, rows.at(-1)?.seq])}>Older</Button>
          </div>
        )}
      </div>
    </Page>
  );
}

function Detail({ of }: { of: unknown }) {
  const text = JSON.stringify(of);
  if (!text || text === '{}' || text === 'null' || text === '""') return <span className="quiet">–</span>;
  if (text.length < 60) return <code>{text}</code>;
  return (
    <details>
      <summary className="small">Show</summary>
      <code>{text}</code>
    </details>
  );
}

function Verify() {
  const client = useClient();
  const [state, setState] = useState<'idle' | 'busy' | { intact: boolean; text: string }>('idle');
  const verify = async () => {
    setState('busy');
    const { data, error } = await client.query(AuditVerifyQuery, {}, { requestPolicy: 'network-only' }).toPromise();
    const v = data?.auditVerify;
    setState(v ? { intact: v.intact, text: v.intact ? `${count(v.rows)} rows, unbroken` : `Broken at row ${v.first_bad_seq}: ${v.why}` } : { intact: false, text: error?.message ?? 'No answer' });
  };
  return (
    <>
      {typeof state === 'object' && (state.intact ? <Badge tone="good" sign="shield">{state.text}</Badge> : <Notice tone="bad">{state.text}</Notice>)}
      <Button variant="default" leftSection={<Icon name="shield" size={16} />} loading={state === 'busy'} onClick={() => void verify()}>Check the chain</Button>
    </>
  );
}
