import { useDebouncedValue } from '@mantine/hooks';
import { useFormContext } from 'react-hook-form';
import { useQuery } from 'urql';
import { PreviewQuery } from '../../api/documents';
import { count, percent } from '../../logic/format';
import { added, criteria, type Form } from '../../logic/new_campaign';
import { Card } from '../card';
import { Trouble } from '../states';
import { Table } from '../table';
import { Versions } from '../versions';

/** What the campaign would reach, while it is written: the broker counts, a moment after the last key. */
export function PreviewCard() {
  const v = useFormContext<Form>().watch();
  const [asked] = useDebouncedValue(JSON.stringify({ firmwareId: v.firmware_id, criteria: criteria(v) }), 300);
  const variables = JSON.parse(asked) as { firmwareId: string; criteria: unknown };
  const [{ data, error, fetching }, ask] = useQuery({ query: PreviewQuery, variables, pause: !variables.firmwareId, requestPolicy: 'network-only' });
  const reach = variables.firmwareId ? data?.targetPreview : undefined;
  return (
    <Card title="Would reach" className="count-card">
      <div className="stack">
        {!v.firmware_id && <p className="quiet">Choose a release, and the devices are counted here.</p>}
        {error && <Trouble error={error} retry={() => ask()} />}
        {reach && (
          <>
            <div role="status" aria-busy={fetching}>
              <span className="big-count">{count(reach.count)}</span> <span className="quiet">{reach.count === 1 ? 'device' : 'devices'}</span>
              <p className="quiet">{count(reach.online)} of them online now</p>
            </div>
            {reach.count === 0 && <p>No accepted device matches. Widen the targets, or check the version range.</p>}
            {reach.count > 0 && <Versions versions={reach.versions} most={5} />}
            {v.gated && reach.count > 0 && (
              <Table
                rows={added(v.phases, reach.count).map((n, i) => ({ n, i }))}
                id={(p) => p.i}
                columns={[
                  { head: 'Phase', cell: (p) => p.i + 1 },
                  { head: 'Up to', right: true, className: 'num', cell: (p) => percent(Number(v.phases[p.i]?.percent) || 0) },
                  { head: 'Adds about', right: true, className: 'num', cell: (p) => count(p.n) },
                ]}
              />
            )}
            {reach.examples.length > 0 && (
              <p className="small quiet">
                Such as {reach.examples.slice(0, 5).map((d) => d.serial_no).join(', ')}
              </p>
            )}
          </>
        )}
      </div>
    </Card>
  );
}
