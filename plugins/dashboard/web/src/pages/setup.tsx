import { zodResolver } from '@hookform/resolvers/zod';
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useForm } from 'react-hook-form';
import { Link, useNavigate } from 'react-router-dom';
import { z } from '../logic/zod';
import { firstAdmin, Refused, setupIsOpen } from '../api/auth';
import { newPassword } from '../logic/password';
import { Notice } from '../ui/states';
import { Door } from './door';
import { explainRefusal } from './login';

const form = z
  .object({ user: z.string().trim().min(1, 'A name').max(64, 'At most 64 characters'), password: newPassword, again: z.string() })
  .refine((v) => v.password === v.again, { path: ['again'], message: 'Not the same as above' });

/** /setup?token=...: the link that the broker prints at its first start. The token leaves the address at once. */
export default function Setup() {
  const [token] = useState(() => new URLSearchParams(location.search).get('token') ?? '');
  const [open, setOpen] = useState<boolean | null>(null);
  const [trouble, setTrouble] = useState('');
  const go = useNavigate();
  const { register, handleSubmit, formState } = useForm({ resolver: zodResolver(form), defaultValues: { user: 'admin', password: '', again: '' } });

  useEffect(() => {
    if (location.search) history.replaceState(history.state, '', '/setup');
    setupIsOpen().then(setOpen, () => setTrouble('The broker cannot be reached.'));
  }, []);

  const make = handleSubmit(async (v) => {
    setTrouble('');
    try {
      await firstAdmin(token, v.user, v.password);
      go('/', { replace: true });
    } catch (e) {
      setTrouble(e instanceof Refused && e.status === 403 ? 'This link is not valid any more. Restart the broker to have a new one printed.' : explainRefusal(e));
    }
  });

  if (open === false)
    return (
      <Door title="Already set up">
        <p>There is an administrator. Ask them for an account, or log in.</p>
        <Button component={Link} to="/login">
          Log in
        </Button>
      </Door>
    );
  if (!token)
    return (
      <Door title="Welcome">
        <p>This broker has no administrator yet. At its start it has printed a link that makes the first one; open that link in this browser.</p>
        <p className="quiet">
          It stands in the broker&rsquo;s log, and looks like <code>/setup?token=…</code>
        </p>
        {trouble && <Notice tone="bad">{trouble}</Notice>}
      </Door>
    );
  return (
    <Door title="The first administrator">
      <form className="stack" onSubmit={make} noValidate>
        {trouble && <Notice tone="bad">{trouble}</Notice>}
        <TextInput label="Name" autoComplete="username" error={formState.errors.user?.message} {...register('user')} />
        <PasswordInput label="Password" description="12 characters at least; a few words are better than signs" autoComplete="new-password" error={formState.errors.password?.message} visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }} {...register('password')} />
        <PasswordInput label="Once more" autoComplete="new-password" error={formState.errors.again?.message} visibilityToggleButtonProps={{ 'aria-label': 'Show the repeated password', tabIndex: 0 }} {...register('again')} />
        <Button type="submit" loading={formState.isSubmitting}>
          Make the administrator
        </Button>
      </form>
    </Door>
  );
}
