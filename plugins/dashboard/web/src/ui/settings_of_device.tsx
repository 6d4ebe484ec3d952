import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import { SetDesired } from '../api/documents';
import type { Setting, SettingChange } from '../api/schema';
import { useMay } from '../shell/who';
import { Badge } from './badge';
import { Dialog } from './dialog';
import { Empty } from './states';
import { Table } from './table';
import { Ago } from './time';
import { answered } from './toast';

/** What a device reported beside what it should have. */
export function DeviceSettings({ id, settings, changed }: { id: string; settings: Setting[]; changed: () => void }) {
  const may = useMay('OPERATOR');
  const [editing, setEditing] = useState<Setting | 'new' | null>(null);
  const add = may && (
    <Button size="compact-sm" variant="default" onClick={() => setEditing('new')}>
      Set one
    </Button>
  );
  return (
    <>
      {settings.length === 0 ? (
        <Empty icon="settings" title="No settings known" action={add}>
          The device reports them on its notify topic; a value that is asked for here is sent when it is connected.
        </Empty>
      ) : (
        <>
          <Table
            rows={settings}
            id={(s) => s.key}
            columns={[
              { head: 'Setting', className: 'strong mono', cell: (s) => s.key },
              { head: 'Reported', cell: (s) => <>{s.value === null ? <span className="quiet">never</span> : <code>{s.value}</code>}{' '}
                    {s.updated_at && (
                      <span className="quiet small">
                        <Ago at={s.updated_at} />
                      </span>
                    )}</> },
              { head: 'Desired', cell: (s) => <>{s.desired === null ? <span className="quiet">not asked</span> : <code>{s.desired}</code>}</> },
              { head: 'State', cell: (s) => <>{s.desired === null ? <span className="quiet">–</span> : <Badge tone={s.in_sync ? 'good' : 'warn'} sign={s.in_sync ? undefined : 'clock'}>{s.in_sync ? 'As desired' : 'Waits for the device'}</Badge>}</> },
              { head: 'Change', right: true, silent: true, cell: (s) => <>{may && (
                      <Button size="compact-xs" variant="default" aria-label={`Change ${s.key}`} onClick={() => setEditing(s)}>
                        Change
                      </Button>
                    )}</> },
            ]}
          />
          <div style={{ padding: '0.4rem 1.1rem 0.8rem' }}>{add}</div>
        </>
      )}
      {editing && <Edit id={id} setting={editing === 'new' ? null : editing} close={() => setEditing(null)} changed={changed} />}
    </>
  );
}

function Edit({ id, setting, close, changed }: { id: string; setting: Setting | null; close: () => void; changed: () => void }) {
  const [key, setKey] = useState(setting?.key ?? '');
  const [value, setValue] = useState(setting?.desired ?? setting?.value ?? '');
  const [busy, setBusy] = useState(false);
  const [, set] = useMutation(SetDesired);
  return (
    <Dialog opened close={close} title={setting ? `Change ${setting.key}` : 'Ask for a setting'}>
      <form
        className="stack"
        onSubmit={async (e) => {
          e.preventDefault();
          if (!key.trim()) return;
          setBusy(true);
          const ok = answered(await set({ id, settings: [{ key: key.trim(), value }] }), 'Asked for; the device is told when it is connected');
          setBusy(false);
          if (!ok) return;
          changed();
          close();
        }}
      >
        {!setting && <TextInput label="Setting" data-autofocus value={key} onChange={(e) => setKey(e.currentTarget.value)} maxLength={128} />}
        <TextInput label="Desired value" value={value} onChange={(e) => setValue(e.currentTarget.value)} maxLength={1024} />
        <Button type="submit" loading={busy}>
          Ask for it
        </Button>
      </form>
    </Dialog>
  );
}

export function SettingHistory({ changes }: { changes: SettingChange[] }) {
  if (changes.length === 0) return <p className="quiet">No setting has changed.</p>;
  return (
    <ol className="events plain">
      {changes.map((c, i) => (
        <li key={`${c.at} ${c.key} ${i}`}>
          <span>
            <code>{c.key}</code> {c.old_value !== null && <><code>{c.old_value}</code> → </>}
            <code>{c.new_value}</code> <span className="quiet small">{c.source === 'device' ? 'said by the device' : 'asked for here'}</span>
          </span>
          <span className="when">
            <Ago at={c.at} />
          </span>
        </li>
      ))}
    </ol>
  );
}
