import { Link } from 'react-router-dom';
import { useQuery } from 'urql';
import { ExplainQuery } from '../api/documents';
import { update } from '../logic/status';
import { Badge } from './badge';
import { Dialog } from './dialog';
import { Bones, Empty, Trouble } from './states';
import { Moment } from './time';

/** Why has this device not updated? One answer for each campaign that is about it. */
export function Why({ id, close }: { id: string; close: () => void }) {
  const [{ data, error }, again] = useQuery({ query: ExplainQuery, variables: { id }, requestPolicy: 'network-only' });
  const all = data?.device?.explain ?? [];
  return (
    <Dialog opened close={close} title="Why has this device not updated?" size="lg">
      {error && <Trouble error={error} retry={() => again()} />}
      {!data && !error && <Bones lines={4} />}
      {data && all.length === 0 && (
        <Empty icon="campaigns" title="No campaign is about this device">
          It is not among the targets of any campaign, so nothing has been sent to it. A campaign&rsquo;s model, version range, tags and list must all match.
        </Empty>
      )}
      <ol className="events plain">
        {all.map(({ campaign, update: row, why }) => {
          const said = update(row);
          return (
            <li key={campaign.campaign_id} style={{ gridTemplateColumns: 'minmax(0, 1fr)' }}>
              <div className="line ends">
                <Link to={`/campaigns/${campaign.campaign_id}`} className="strong">
                  {campaign.name} <span className="quiet">{campaign.firmware_version}</span>
                </Link>
                <Badge tone={said.tone}>{said.word}</Badge>
              </div>
              <p>{why}</p>
              <p className="small quiet">
                Attempt {row.attempt}, {row.from_version || 'unknown'} → {row.to_version}; last change <Moment at={row.updated_at} />
              </p>
            </li>
          );
        })}
      </ol>
    </Dialog>
  );
}
