import { zodResolver } from '@hookform/resolvers/zod';
import { Button, PasswordInput, SegmentedControl, Switch, TextInput, useMantineColorScheme } from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { useMutation, useQuery } from 'urql';
import { z } from '../logic/zod';
import { ChangePassword, ConfigurationQuery } from '../api/documents';
import { count, moment, zoneName } from '../logic/format';
import { newPassword } from '../logic/password';
import { useLogin, useMay } from '../shell/who';
import { Card } from '../ui/card';
import { Page } from '../ui/page';
import { Bones, Empty, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { useNow } from '../ui/time';
import { answered } from '../ui/toast';

export default function Settings() {
  const admin = useMay('ADMIN');
  return (
    <Page title="Settings" lead="Yours, and what the broker has in force">
      <div className="columns">
        <Looks />
        <Password />
      </div>
      {admin && <Configuration />}
    </Page>
  );
}

function Looks() {
  const login = useLogin();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const now = useNow();
  return (
    <Card title="You and this browser">
      <div className="stack">
        <dl className="facts">
          <dt>Logged in as</dt>
          <dd><b>{login?.user}</b>, {login?.role.toLowerCase()}</dd>
          <dt>Times are shown in</dt>
          <dd>{zoneName()}; now {moment(new Date(now).toISOString())}</dd>
        </dl>
        <div>
          <p id="looks" className="strong" style={{ marginBottom: '0.4rem' }}>Colours</p>
          <SegmentedControl aria-labelledby="looks" value={colorScheme} onChange={(v) => setColorScheme(v as 'light')} data={[{ value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }, { value: 'auto', label: 'As the system' }]} />
        </div>
        <p className="quiet small">Press <kbd>?</kbd> anywhere for the keys of this page.</p>
      </div>
    </Card>
  );
}

const form = z
  .object({ current: z.string().min(1, 'The password you have now'), next: newPassword, again: z.string() })
  .refine((v) => v.next === v.again, { path: ['again'], message: 'Not the same as above' });

function Password() {
  const [, change] = useMutation(ChangePassword);
  const { register, handleSubmit, formState, reset } = useForm({ resolver: zodResolver(form), defaultValues: { current: '', next: '', again: '' } });
  const submit = handleSubmit(async (v) => answered(await change({ current: v.current, next: v.next }), 'Changed; your other logins have ended') && reset());
  const eye = (what: string) => ({ 'aria-label': `Show ${what}`, tabIndex: 0 });
  return (
    <Card title="Your password">
      <form className="stack" onSubmit={submit} noValidate>
        <PasswordInput label="Password now" autoComplete="current-password" error={formState.errors.current?.message} visibilityToggleButtonProps={eye('the password')} {...register('current')} />
        <PasswordInput label="New password" autoComplete="new-password" error={formState.errors.next?.message} visibilityToggleButtonProps={eye('the new password')} {...register('next')} />
        <PasswordInput label="New password once more" autoComplete="new-password" error={formState.errors.again?.message} visibilityToggleButtonProps={eye('the repeated password')} {...register('again')} />
        <div><Button type="submit" loading={formState.isSubmitting}>Change it</Button></div>
      </form>
    </Card>
  );
}

/** Every directive that is in force. It is changed in the broker's files, not here. */
function Configuration() {
  const [{ data, error, fetching }, ask] = useQuery({ query: ConfigurationQuery });
  const [find, setFind] = useState('');
  const [all, setAll] = useState(false);
  const like = find.trim().toLowerCase();
  const rows = (data?.configuration ?? []).filter((c) => (all || c.written) && (!like || c.key.includes(like) || c.doc.toLowerCase().includes(like)));
  return (
    <Card
      title="Configuration of the broker"
      flush
      aside={
        <div className="line">
          <Switch label="Defaults too" checked={all} onChange={(e) => setAll(e.currentTarget.checked)} />
          <TextInput data-find size="xs" aria-label="Find a directive" placeholder="Find" value={find} onChange={(e) => setFind(e.currentTarget.value)} />
        </div>
      }
    >
      {error && <Trouble error={error} retry={() => ask()} />}
      {fetching && !data && <div className="body"><Bones lines={6} /></div>}
      {data && rows.length === 0 && <Empty icon="settings" title="No directive matches">{all ? 'Try fewer letters.' : 'Switch on the defaults to see all of them.'}</Empty>}
      {rows.length > 0 && (
        <>
          <p className="quiet small" style={{ padding: '0 1.1rem 0.4rem' }}>{count(rows.length)} directives. They are changed in the broker&rsquo;s files; secrets are never shown.</p>
          <Table
            rows={rows}
            id={(c) => c.key}
            columns={[
              { head: 'Directive', className: 'mono strong', cell: (c) => c.key },
              { head: 'In force', cell: (c) => <><code>{c.value || '–'}</code>{!c.written && <span className="quiet small"> default</span>}</> },
              { head: 'What it does', className: 'small quiet', cell: (c) => c.doc },
            ]}
          />
        </>
      )}
    </Card>
  );
}
