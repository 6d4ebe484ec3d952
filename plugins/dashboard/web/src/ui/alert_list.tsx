import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { useMutation } from 'urql';
import { AcknowledgeAlert, type AlertItem } from '../api/documents';
import { plain } from '../logic/status';
import { useMay } from '../shell/who';
import { Badge } from './badge';
import { Empty } from './states';
import { Ago } from './time';
import { answered } from './toast';

/** Alerts, newest first; an open one can be acknowledged by operators. */
export function AlertList({ alerts, changed }: { alerts: AlertItem[]; changed: () => void }) {
  if (alerts.length === 0)
    return (
      <Empty icon="check" title="All quiet">
        Failing campaigns, fleets going offline and devices in boot loops would be named here.
      </Empty>
    );
  return (
    <ul className="events plain">
      {alerts.map((a) => (
        <One key={a.alert_id} alert={a} changed={changed} />
      ))}
    </ul>
  );
}

function One({ alert: a, changed }: { alert: AlertItem; changed: () => void }) {
  const may = useMay('OPERATOR');
  const [busy, setBusy] = useState(false);
  const [, acknowledge] = useMutation(AcknowledgeAlert);
  const tone = a.severity === 'CRITICAL' ? 'bad' : 'warn';
  return (
    <li data-tone={tone}>
      <div className="stack tight">
        <div className="line">
          <Badge tone={tone} sign="bang">
            {a.severity === 'CRITICAL' ? 'Critical' : 'Warning'}
          </Badge>
          <span className="quiet small">{plain(a.kind)}</span>
          {a.count > 1 && <span className="quiet small">{a.count} times</span>}
        </div>
        <span>{a.text}</span>
        <span className="small line">
          {a.campaign_id && <Link to={`/campaigns/${a.campaign_id}`}>Campaign</Link>}
          {a.serial_no && <Link to={`/devices/${encodeURIComponent(a.serial_no)}`}>{a.serial_no}</Link>}
          {a.acknowledged_at && (
            <span className="quiet">
              Acknowledged <Ago at={a.acknowledged_at} /> by {a.acknowledged_by}
            </span>
          )}
        </span>
      </div>
      <div className="stack tight" style={{ alignItems: 'flex-end' }}>
        <span className="when">
          <Ago at={a.last_at} />
        </span>
        {may && !a.acknowledged_at && (
          <Button
            size="compact-xs"
            variant="default"
            loading={busy}
            aria-label={`Acknowledge: ${a.text}`}
            onClick={async () => {
              setBusy(true);
              if (answered(await acknowledge({ id: a.alert_id }), 'Acknowledged')) changed();
              setBusy(false);
            }}
          >
            Acknowledge
          </Button>
        )}
      </div>
    </li>
  );
}
