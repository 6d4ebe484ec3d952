import { Button } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { useMutation, useQuery } from 'urql';
import { DeleteFirmware, type FirmwareItem, FirmwaresQuery } from '../api/documents';
import { bytes, count, digest } from '../logic/format';
import { useMay } from '../shell/who';
import { Badge } from '../ui/badge';
import { Card } from '../ui/card';
import { Confirm, type Question } from '../ui/dialog';
import { Page } from '../ui/page';
import { Bones, Empty, Trouble } from '../ui/states';
import { Ago } from '../ui/time';
import { answered } from '../ui/toast';
import { Table } from '../ui/table';
import { UploadBox } from '../ui/upload_box';

export default function Firmware() {
  const may = useMay('OPERATOR');
  const [{ data, error, fetching }, ask] = useQuery({ query: FirmwaresQuery });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const [question, setQuestion] = useState<Question | null>(null);
  const all = data?.firmwares ?? [];
  return (
    <Page title="Firmware" lead="What may be shipped: releases whose signature and digest this broker has checked">
      {may && <UploadBox done={refresh} />}
      <Card title="Releases" flush>
        {error && <Trouble error={error} retry={refresh} />}
        {fetching && !data && <div className="body"><Bones lines={5} /></div>}
        {data && all.length === 0 && (
          <Empty icon="firmware" title="Nothing to ship yet">
            {may ? 'Drop the first signed release above.' : 'An operator uploads the first release.'}
          </Empty>
        )}
        {all.length > 0 && (
          <Table
            rows={all}
            id={(f) => f.firmware_id}
            columns={[
              { head: 'Version', className: 'strong num', cell: (f) => f.version },
              { head: 'Models', cell: (f) => (f.models.length ? f.models.join(', ') : f.model) },
              { head: 'Signature', cell: (f) => (f.signed ? <Badge tone="good" sign="shield">Signed</Badge> : <Badge tone="bad" sign="bang">Unsigned</Badge>) },
              { head: 'Size', right: true, className: 'num', cell: (f) => bytes(f.size_bytes) },
              { head: 'Runs on', right: true, className: 'num', cell: (f) => <Link to={`/devices?${new URLSearchParams({ version: f.version })}`}>{count(f.running_on)}</Link> },
              { head: 'Comes after', className: 'num', cell: (f) => f.min_from_version || <span className="quiet">any</span> },
              { head: 'Digest', cell: (f) => <code title={f.checksum}>{digest(f.checksum)}</code> },
              { head: 'Uploaded', className: 'small quiet', cell: (f) => <><Ago at={f.uploaded_at} /> by {f.uploaded_by || 'unknown'}</> },
              { head: 'Actions', right: true, silent: true, cell: (f) => <Actions firmware={f} ask={setQuestion} changed={refresh} /> },
            ]}
          />
        )}
      </Card>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}

function Actions({ firmware: f, ask, changed }: { firmware: FirmwareItem; ask: (q: Question) => void; changed: () => void }) {
  const operator = useMay('OPERATOR');
  const admin = useMay('ADMIN');
  const [, remove] = useMutation(DeleteFirmware);
  return (
    <div className="line" style={{ justifyContent: 'flex-end', flexWrap: 'nowrap' }}>
      {operator && <Button component={Link} to={`/campaigns/new?firmware=${f.firmware_id}`} size="compact-xs" variant="light" aria-label={`Ship ${f.version}`}>Ship</Button>}
      {admin && (
        <Button
          size="compact-xs"
          variant="default"
          aria-label={`Delete ${f.version}`}
          onClick={() => ask({ title: `Delete ${f.version}?`, body: `The file is removed from the broker. ${count(f.running_on)} devices that run it go on. Refused while a campaign still needs it.`, yes: 'Delete it', danger: true, act: async () => answered(await remove({ id: f.firmware_id }), `${f.version} is deleted`) && changed() })}
        >
          Delete
        </Button>
      )}
    </div>
  );
}
