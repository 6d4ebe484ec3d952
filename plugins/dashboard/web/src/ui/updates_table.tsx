import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { useMutation } from 'urql';
import { RetryDevice, type UpdateRow } from '../api/documents';
import { plain, update, wentWrong } from '../logic/status';
import { useMay } from '../shell/who';
import { Badge } from './badge';
import { Empty } from './states';
import { Ago } from './time';
import { answered } from './toast';

/** Updates: of one device, named by campaign, or of one campaign, named by device. */
export function UpdatesTable({ rows, of, changed, explain }: { rows: UpdateRow[]; of: 'device' | 'campaign'; changed: () => void; explain?: (row: UpdateRow) => void }) {
  if (rows.length === 0)
    return (
      <Empty icon="campaigns" title={of === 'device' ? 'No update yet' : 'No device matches'}>
        {of === 'device' ? 'No campaign has been about this device.' : 'Choose another state above.'}
      </Empty>
    );
  return (
    <table className="table folds">
      <thead>
        <tr>
          <th scope="col">{of === 'device' ? 'Campaign' : 'Device'}</th>
          <th scope="col">State</th>
          <th scope="col">Error</th>
          <th scope="col">From</th>
          <th scope="col">To</th>
          <th scope="col" className="right">Attempt</th>
          <th scope="col">Changed</th>
          <th scope="col">
            <span className="hidden-text">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((r) => (
          <One key={`${r.campaign_id} ${r.device_id}`} row={r} of={of} changed={changed} explain={explain} />
        ))}
      </tbody>
    </table>
  );
}

function One({ row: r, of, changed, explain }: { row: UpdateRow; of: 'device' | 'campaign'; changed: () => void; explain?: (row: UpdateRow) => void }) {
  const may = useMay('OPERATOR');
  const [busy, setBusy] = useState(false);
  const [, retry] = useMutation(RetryDevice);
  const said = update(r);
  const lost = wentWrong(r);
  return (
    <tr>
      <td className="strong">{of === 'device' ? <Link to={`/campaigns/${r.campaign_id}`}>{r.campaign_name}</Link> : <Link to={`/devices/${encodeURIComponent(r.serial_no)}`}>{r.serial_no}</Link>}</td>
      <td data-label="State">
        <Badge tone={said.tone} wrap>
          {said.word}
        </Badge>
      </td>
      <td data-label="Error">{r.error_message || (r.reason ? plain(r.reason) : <span className="quiet">–</span>)}</td>
      <td data-label="From" className="num">{r.from_version || <span className="quiet">–</span>}</td>
      <td data-label="To" className="num">{r.to_version}</td>
      <td data-label="Attempt" className="right num">{r.attempt}</td>
      <td data-label="Changed" className="quiet small">
        <Ago at={r.updated_at} />
      </td>
      <td className="right">
        <div className="line" style={{ justifyContent: 'flex-end', flexWrap: 'nowrap' }}>
          {explain && (
            <Button size="compact-xs" variant="default" aria-label={`Why: ${r.serial_no}`} onClick={() => explain(r)}>
              Why?
            </Button>
          )}
          {may && lost && (
            <Button
              size="compact-xs"
              variant="default"
              loading={busy}
              aria-label={`Try again: ${r.serial_no}`}
              onClick={async () => {
                setBusy(true);
                if (answered(await retry({ campaignId: r.campaign_id, device: r.serial_no }), `${r.serial_no} is tried again`)) changed();
                setBusy(false);
              }}
            >
              Try again
            </Button>
          )}
        </div>
      </td>
    </tr>
  );
}
