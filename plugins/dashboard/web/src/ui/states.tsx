// What a page shows when it has nothing, not yet, or no luck: each says what to do next.

import { Button } from '@mantine/core';
import type { CombinedError } from 'urql';
import { sentence } from '../api/client';
import type { Tone } from '../logic/status';
import { Icon, type IconName } from './icon';

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: React.ReactNode; action?: React.ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} size={38} />
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Notice({ tone, icon = 'bang', children, action }: { tone: Tone; icon?: IconName; children: React.ReactNode; action?: React.ReactNode }) {
  return (
    <div className="trouble" data-tone={tone} role={tone === 'bad' ? 'alert' : 'status'}>
      <Icon name={icon} size={17} />
      <div className="grow">{children}</div>
      {action}
    </div>
  );
}

export function Trouble({ error, retry }: { error: CombinedError; retry?: () => void }) {
  const id = error.graphQLErrors[0]?.extensions?.request_id;
  return (
    <Notice
      tone="bad"
      action={
        retry && (
          <Button size="xs" variant="default" onClick={retry}>
            Try again
          </Button>
        )
      }
    >
      <strong>{sentence(error)}</strong>
      {typeof id === 'string' && <div className="small more">Request {id}; the broker&rsquo;s log has more under it.</div>}
    </Notice>
  );
}

export function Bones({ lines = 3 }: { lines?: number }) {
  return (
    <div className="stack tight" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="bone" style={{ width: `${90 - ((i * 17) % 45)}%` }} />
      ))}
    </div>
  );
}
