import { Button } from '@mantine/core';
import { Link } from 'react-router-dom';
import { Empty } from '../ui/states';
import { Page } from '../ui/page';

const words = {
  nothing: ['Nothing here', 'There is no page at this address.'],
  forbidden: ['Not for your role', 'This page needs an administrator. Ask one to change your role if you should see it.'],
  broken: ['This page broke', 'A fault of ours: reload, and if it stays, tell us what you did before.'],
} as const;

export function Lost({ what }: { what: keyof typeof words }) {
  const [title, text] = words[what];
  return (
    <Page title={title}>
      <Empty icon="question" title={title} action={<Button component={Link} to="/" variant="default">To the overview</Button>}>
        {text}
      </Empty>
    </Page>
  );
}
