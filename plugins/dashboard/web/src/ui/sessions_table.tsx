import type { Session } from '../api/schema';
import { count, span } from '../logic/format';
import { Badge } from './badge';
import { Table } from './table';

/** MQTT sessions: who, from where, and what waits for them. */
export function SessionsTable({ sessions, withIdentity, aside }: { sessions: Session[]; withIdentity?: boolean; aside?: (s: Session) => React.ReactNode }) {
  return (
    <Table
      rows={sessions}
      id={(s) => `${s.identity} ${s.client_id}`}
      columns={[
        withIdentity && { head: 'Identity', className: 'strong', cell: (s) => s.identity || <span className="quiet">anonymous</span> },
        { head: 'Client id', className: 'mono', cell: (s) => s.client_id },
        { head: 'State', cell: (s) => <State of={s} /> },
        { head: 'Address', className: 'num', cell: (s) => s.address || '–' },
        { head: 'Protocol', cell: (s) => protocols[s.protocol] ?? '–' },
        { head: 'Subscriptions', right: true, className: 'num', cell: (s) => count(s.filters) },
        { head: 'Queued', right: true, className: 'num', cell: (s) => count(s.queued) },
        { head: 'In flight', right: true, className: 'num', cell: (s) => count(s.in_flight) },
        aside && { head: 'Actions', right: true, silent: true, cell: aside },
      ]}
    />
  );
}

const protocols: Record<number, string> = { 3: 'MQTT 3.1', 4: 'MQTT 3.1.1', 5: 'MQTT 5' };

function State({ of: s }: { of: Session }) {
  return (
    <>
      <Badge tone={s.connected ? 'good' : 'idle'} sign={s.connected ? 'dot' : undefined}>
        {s.connected ? 'Connected' : 'Away'}
      </Badge>{' '}
      <span className="small quiet">{s.durable ? `kept ${s.expiry_s >= 4294967295 ? 'for good' : span(s.expiry_s)}` : 'not kept'}</span>
    </>
  );
}
