import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { useQuery, useSubscription } from 'urql';
import { AlertRaised, AlertsQuery } from '../api/documents';
import { AlertList } from '../ui/alert_list';
import { Card } from '../ui/card';
import { Page } from '../ui/page';
import { Bones, Trouble } from '../ui/states';

export default function Alerts() {
  const [which, setWhich] = useState('open');
  const [{ data, error, fetching }, again] = useQuery({ query: AlertsQuery, variables: { open: which === 'open', first: 100 } });
  const refresh = () => again({ requestPolicy: 'network-only' });
  useSubscription({ query: AlertRaised }, (_: unknown, next) => {
    refresh();
    return next;
  });
  return (
    <Page
      title="Alerts"
      lead="What the broker thinks somebody should look at"
      aside={<SegmentedControl value={which} onChange={setWhich} aria-label="Which alerts" data={[{ value: 'open', label: 'Open' }, { value: 'all', label: 'All' }]} />}
    >
      <Card title={which === 'open' ? 'Open' : 'All, newest first'}>
        {error && <Trouble error={error} retry={refresh} />}
        {fetching && !data && <Bones lines={5} />}
        {data && <AlertList alerts={data.alerts} changed={refresh} />}
      </Card>
    </Page>
  );
}
