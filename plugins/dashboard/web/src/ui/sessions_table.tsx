import type { Session } from '../api/schema';
import { count, span } from '../logic/format';
import { Badge } from './badge';

/** MQTT sessions: who, from where, and what waits for them. */
export function SessionsTable({ sessions, withIdentity, aside }: { sessions: Session[]; withIdentity?: boolean; aside?: (s: Session) => React.ReactNode }) {
  return (
    <table className="table folds">
      <thead>
        <tr>
          {withIdentity && <th scope="col">Identity</th>}
          <th scope="col">Client id</th>
          <th scope="col">State</th>
          <th scope="col">Address</th>
          <th scope="col">Protocol</th>
          <th scope="col" className="right">Subscriptions</th>
          <th scope="col" className="right">Queued</th>
          <th scope="col" className="right">In flight</th>
          {aside && (
            <th scope="col">
              <span className="hidden-text">Actions</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {sessions.map((s) => (
          <tr key={`${s.identity} ${s.client_id}`}>
            {withIdentity && <td className="strong">{s.identity || <span className="quiet">anonymous</span>}</td>}
            <td data-label="Client id" className="mono">{s.client_id}</td>
            <td data-label="State">
              <Badge tone={s.connected ? 'good' : 'idle'} sign={s.connected ? 'dot' : undefined}>
                {s.connected ? 'Connected' : 'Away'}
              </Badge>{' '}
              <span className="small quiet">{s.durable ? `kept ${s.expiry_s >= 4294967295 ? 'for good' : span(s.expiry_s)}` : 'not kept'}</span>
            </td>
            <td data-label="Address" className="num">{s.address || '–'}</td>
            <td data-label="Protocol">{s.protocol === 5 ? 'MQTT 5' : s.protocol === 4 ? 'MQTT 3.1.1' : s.protocol === 3 ? 'MQTT 3.1' : '–'}</td>
            <td data-label="Subscriptions" className="right num">{count(s.filters)}</td>
            <td data-label="Queued" className="right num">{count(s.queued)}</td>
            <td data-label="In flight" className="right num">{count(s.in_flight)}</td>
            {aside && <td className="right">{aside(s)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
