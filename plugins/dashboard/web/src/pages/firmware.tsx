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
          <table className="table folds">
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col">Models</th>
                <th scope="col">Signature</th>
                <th scope="col" className="right">Size</th>
                <th scope="col" className="right">Runs on</th>
                <th scope="col">Comes after</th>
                <th scope="col">Digest</th>
                <th scope="col">Uploaded</th>
                <th scope="col"><span className="hidden-text">Actions</span></th>
              </tr>
            </thead>
            <tbody>
              {all.map((f) => (
                <One key={f.firmware_id} firmware={f} ask={setQuestion} changed={refresh} />
              ))}
            </tbody>
          </table>
        )}
      </Card>
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}

function One({ firmware: f, ask, changed }: { firmware: FirmwareItem; ask: (q: Question) => void; changed: () => void }) {
  const operator = useMay('OPERATOR');
  const admin = useMay('ADMIN');
  const [, remove] = useMutation(DeleteFirmware);
  return (
    <tr>
      <td className="strong num">{f.version}</td>
      <td data-label="Models">{f.models.length ? f.models.join(', ') : f.model}</td>
      <td data-label="Signature">{f.signed ? <Badge tone="good" sign="shield">Signed</Badge> : <Badge tone="bad" sign="bang">Unsigned</Badge>}</td>
      <td data-label="Size" className="right num">{bytes(f.size_bytes)}</td>
      <td data-label="Runs on" className="right num"><Link to={`/devices?${new URLSearchParams({ version: f.version })}`}>{count(f.running_on)}</Link></td>
      <td data-label="Comes after" className="num">{f.min_from_version || <span className="quiet">any</span>}</td>
      <td data-label="Digest"><code title={f.checksum}>{digest(f.checksum)}</code></td>
      <td data-label="Uploaded" className="small quiet"><Ago at={f.uploaded_at} /> by {f.uploaded_by || 'unknown'}</td>
      <td className="right">
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
      </td>
    </tr>
  );
}
