import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { useMutation } from 'urql';
import { RetryDevice, type UpdateRow } from '../api/documents';
import { plain, update, wentWrong } from '../logic/status';
import { useMay } from '../shell/who';
import { Badge } from './badge';
import { Empty } from './states';
import { Table } from './table';
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
    <Table
      rows={rows}
      id={(r) => `${r.campaign_id} ${r.device_id}`}
      columns={[
        of === 'device'
          ? { head: 'Campaign', className: 'strong', cell: (r) => <Link to={`/campaigns/${r.campaign_id}`}>{r.campaign_name}</Link> }
          : { head: 'Device', className: 'strong', cell: (r) => <Link to={`/devices/${encodeURIComponent(r.serial_no)}`}>{r.serial_no}</Link> },
        { head: 'State', cell: (r) => <Badge tone={update(r).tone} wrap>{update(r).word}</Badge> },
        { head: 'Error', cell: (r) => r.error_message || (r.reason && wentWrong(r) ? plain(r.reason) : <span className="quiet">–</span>) },
        { head: 'From', className: 'num', cell: (r) => r.from_version || <span className="quiet">–</span> },
        { head: 'To', className: 'num', cell: (r) => r.to_version },
        { head: 'Attempt', right: true, className: 'num', cell: (r) => r.attempt },
        { head: 'Changed', className: 'quiet small', cell: (r) => <Ago at={r.updated_at} /> },
        { head: 'Actions', right: true, silent: true, cell: (r) => <Actions row={r} changed={changed} explain={explain} /> },
      ]}
    />
  );
}

function Actions({ row: r, changed, explain }: { row: UpdateRow; changed: () => void; explain?: (row: UpdateRow) => void }) {
  const may = useMay('OPERATOR');
  const [busy, setBusy] = useState(false);
  const [, retry] = useMutation(RetryDevice);
  const lost = wentWrong(r);
  return (
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
  );
}
