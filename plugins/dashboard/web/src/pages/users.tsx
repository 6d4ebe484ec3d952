import { zodResolver } from '@hookform/resolvers/zod';
import { Button, PasswordInput, Select, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Controller, useForm } from 'react-hook-form';
import { useMutation, useQuery } from 'urql';
import { z } from '../logic/zod';
import * as D from '../api/documents';
import type { Role, User } from '../api/schema';
import { newPassword } from '../logic/password';
import { useLogin } from '../shell/who';
import { ApiKeys } from '../ui/api_keys';
import { Badge } from '../ui/badge';
import { Card } from '../ui/card';
import { Confirm, Dialog, type Question } from '../ui/dialog';
import { Icon } from '../ui/icon';
import { Menu } from '../ui/menu';
import { Page } from '../ui/page';
import { Bones, Trouble } from '../ui/states';
import { Table } from '../ui/table';
import { Ago } from '../ui/time';
import { answered } from '../ui/toast';

export const roles: { value: Role; label: string }[] = [
  { value: 'VIEWER', label: 'Viewer: sees everything of the fleet' },
  { value: 'OPERATOR', label: 'Operator: also ships and stops' },
  { value: 'ADMIN', label: 'Admin: also users, keys and audit' },
];

export default function Users() {
  const me = useLogin()?.user;
  const [{ data, error, fetching }, ask] = useQuery({ query: D.UsersQuery });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const [adding, setAdding] = useState(false);
  const [password, setPassword] = useState<User | null>(null);
  const [question, setQuestion] = useState<Question | null>(null);
  const [, setRole] = useMutation(D.SetUserRole);
  const [, disable] = useMutation(D.DisableUser);
  const [, remove] = useMutation(D.RemoveUser);
  return (
    <Page title="Users" lead="Who may log in here, and as what; a change holds within a minute" aside={<Button leftSection={<Icon name="plus" size={16} />} onClick={() => setAdding(true)}>Add user</Button>}>
      <Card title="People" flush>
        {error && <Trouble error={error} retry={refresh} />}
        {fetching && !data && <div className="body"><Bones /></div>}
        {data && (
          <Table
            rows={data.users}
            id={(u) => u.user_id}
            columns={[
              { head: 'Name', className: 'strong', cell: (u) => <>{u.name} {u.name === me && <span className="quiet small">(you)</span>}</> },
              { head: 'Role', cell: (u) => <><Select aria-label={`Role of ${u.name}`} size="xs" w={130} allowDeselect={false} data={roles.map((r) => ({ value: r.value, label: r.label.split(':')[0]! }))} value={u.role} disabled={u.name === me} onChange={async (v) => v && answered(await setRole({ name: u.name, role: v as Role }), `${u.name} is now ${v.toLowerCase()}`) && refresh()} /></> },
              { head: 'State', cell: (u) => <Badge tone={u.disabled ? 'idle' : 'good'}>{u.disabled ? 'Disabled' : 'Active'}</Badge> },
              { head: 'Since', className: 'quiet small', cell: (u) => <Ago at={u.created_at} /> },
              { head: 'Actions', right: true, silent: true, cell: (u) => <>{u.name !== me && (
                      <Menu>
                        <Menu.Target><Button size="compact-xs" variant="default" aria-label={`Actions for ${u.name}`}>Actions</Button></Menu.Target>
                        <Menu.Dropdown>
                          <Menu.Item onClick={() => setPassword(u)}>New password</Menu.Item>
                          <Menu.Item onClick={async () => answered(await disable({ name: u.name, disabled: !u.disabled }), u.disabled ? 'May log in again' : 'Disabled, and logged out') && refresh()}>{u.disabled ? 'Enable' : 'Disable'}</Menu.Item>
                          <Menu.Item className="danger" onClick={() => setQuestion({ title: `Remove ${u.name}?`, body: 'The account and its logins end. What this person did stays in the audit.', yes: 'Remove', danger: true, act: async () => answered(await remove({ name: u.name }), 'Removed') && refresh() })}>Remove</Menu.Item>
                        </Menu.Dropdown>
                      </Menu>
                    )}</> },
            ]}
          />
        )}
      </Card>
      <ApiKeys />
      {adding && <AddUser close={() => setAdding(false)} done={refresh} />}
      {password && <NewPassword user={password} close={() => setPassword(null)} />}
      <Confirm question={question} close={() => setQuestion(null)} />
    </Page>
  );
}

const addForm = z.object({ name: z.string().trim().min(1, 'A name').max(64, 'At most 64 characters'), password: newPassword, role: z.enum(['VIEWER', 'OPERATOR', 'ADMIN']) });

function AddUser({ close, done }: { close: () => void; done: () => void }) {
  const [, create] = useMutation(D.CreateUser);
  const { register, control, handleSubmit, formState } = useForm({ resolver: zodResolver(addForm), defaultValues: { name: '', password: '', role: 'VIEWER' as Role } });
  const submit = handleSubmit(async (v) => {
    if (!answered(await create(v), `${v.name} may log in`)) return;
    done();
    close();
  });
  return (
    <Dialog opened close={close} title="Add a user">
      <form className="stack" onSubmit={submit} noValidate>
        <TextInput data-autofocus label="Name" autoComplete="off" error={formState.errors.name?.message} {...register('name')} />
        <PasswordInput label="First password" description="12 characters at least; they can change it in Settings" autoComplete="new-password" error={formState.errors.password?.message} visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }} {...register('password')} />
        <Controller control={control} name="role" render={({ field }) => <Select label="Role" allowDeselect={false} data={roles} {...field} />} />
        <Button type="submit" loading={formState.isSubmitting}>Add</Button>
      </form>
    </Dialog>
  );
}

function NewPassword({ user, close }: { user: User; close: () => void }) {
  const [, set] = useMutation(D.SetUserPassword);
  const { register, handleSubmit, formState } = useForm({ resolver: zodResolver(z.object({ password: newPassword })), defaultValues: { password: '' } });
  const submit = handleSubmit(async (v) => answered(await set({ name: user.name, password: v.password }), `${user.name} has a new password`) && close());
  return (
    <Dialog opened close={close} title={`New password for ${user.name}`}>
      <form className="stack" onSubmit={submit} noValidate>
        <PasswordInput data-autofocus label="Password" autoComplete="new-password" error={formState.errors.password?.message} visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }} {...register('password')} />
        <Button type="submit" loading={formState.isSubmitting}>Set it</Button>
      </form>
    </Dialog>
  );
}
