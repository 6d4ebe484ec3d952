import { Button, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation, useQuery } from 'urql';
import { ApiKeysQuery, CreateApiKey, RevokeApiKey } from '../api/documents';
import type { Role } from '../api/schema';
import { Badge } from './badge';
import { Card } from './card';
import { Confirm, Dialog, type Question } from './dialog';
import { Bones, Empty, Notice, Trouble } from './states';
import { Table } from './table';
import { Ago, Moment } from './time';
import { answered } from './toast';

/** Keys for scripts. The text of a key is shown once, when it is made. */
export function ApiKeys() {
  const [{ data, error, fetching }, ask] = useQuery({ query: ApiKeysQuery });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const [adding, setAdding] = useState(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const [, revoke] = useMutation(RevokeApiKey);
  const keys = data?.apiKeys ?? [];
  return (
    <Card title="Keys for scripts" flush aside={<Button size="compact-sm" variant="default" onClick={() => setAdding(true)}>Make a key</Button>}>
      {error && <Trouble error={error} retry={refresh} />}
      {fetching && !data && <div className="body"><Bones /></div>}
      {data && keys.length === 0 && <Empty icon="settings" title="No keys">Scripts and airmailctl on other machines use one instead of a login.</Empty>}
      {keys.length > 0 && (
        <Table
          rows={keys}
          id={(k) => k.key_id}
          columns={[
            { head: 'Name', className: 'strong', cell: (k) => k.name },
            { head: 'Role', cell: (k) => k.role.toLowerCase() },
            { head: 'State', cell: (k) => <Badge tone={k.revoked_at ? 'idle' : 'good'}>{k.revoked_at ? 'Revoked' : 'Active'}</Badge> },
            { head: 'Made', className: 'quiet small', cell: (k) => <><Ago at={k.created_at} /> by {k.created_by}</> },
            { head: 'Ends', className: 'quiet small', cell: (k) => <Moment at={k.expires_at} none="never" /> },
            { head: 'Actions', right: true, silent: true, cell: (k) => <>{!k.revoked_at && <Button size="compact-xs" variant="default" aria-label={`Revoke ${k.name}`} onClick={() => setQuestion({ title: `Revoke ${k.name}?`, body: 'Scripts that use it are refused from now on.', yes: 'Revoke', danger: true, act: async () => answered(await revoke({ id: k.key_id }), 'Revoked') && refresh() })}>Revoke</Button>}</> },
          ]}
        />
      )}
      {adding && <Make close={() => setAdding(false)} done={refresh} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Card>
  );
}

function Make({ close, done }: { close: () => void; done: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('VIEWER');
  const [expires, setExpires] = useState<string>('90d');
  const [token, setToken] = useState('');
  const [, create] = useMutation(CreateApiKey);
  return (
    <Dialog opened close={close} title={token ? 'The key' : 'Make a key'}>
      {token ? (
        <div className="stack">
          <Notice tone="warn">It is shown this once. Keep it where scripts keep their secrets.</Notice>
          <TextInput readOnly aria-label="Key" value={token} onFocus={(e) => e.currentTarget.select()} />
          <div className="line"><Button onClick={() => void navigator.clipboard.writeText(token)}>Copy</Button><Button variant="default" onClick={close}>Done</Button></div>
        </div>
      ) : (
        <form
          className="stack"
          onSubmit={async (e) => {
            e.preventDefault();
            if (!name.trim()) return;
            const made = await create({ name: name.trim(), role, expires: expires || undefined });
            if (!answered(made) || !made.data) return;
            setToken(made.data.createApiKey.token);
            done();
          }}
        >
          <TextInput data-autofocus label="Name" description="Which script will use it" value={name} onChange={(e) => setName(e.currentTarget.value)} maxLength={64} />
          <Select label="Role" allowDeselect={false} data={[{ value: 'VIEWER', label: 'Viewer' }, { value: 'OPERATOR', label: 'Operator' }, { value: 'ADMIN', label: 'Admin' }]} value={role} onChange={(v) => setRole(v as Role)} />
          <Select label="Ends after" allowDeselect={false} data={[{ value: '30d', label: '30 days' }, { value: '90d', label: '90 days' }, { value: '365d', label: 'A year' }, { value: '', label: 'Never' }]} value={expires} onChange={(v) => setExpires(v ?? '')} />
          <Button type="submit">Make it</Button>
        </form>
      )}
    </Dialog>
  );
}
