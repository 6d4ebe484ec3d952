import { zodResolver } from '@hookform/resolvers/zod';
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useForm } from 'react-hook-form';
import { z } from '../logic/zod';
import { login, Refused } from '../api/auth';
import { span } from '../logic/format';
import { Notice } from '../ui/states';
import { Door } from './door';

const form = z.object({ user: z.string().trim().min(1, 'Your name'), password: z.string().min(1, 'Your password') });

/** What a refused login means for the person who tried. */
export function explainRefusal(trouble: unknown): string {
  if (!(trouble instanceof Refused)) return 'The broker cannot be reached.';
  const wait = trouble.retryAfter ? ` Try again in ${span(trouble.retryAfter)}.` : '';
  if (trouble.status === 429) return `Too many attempts.${wait}`;
  if (trouble.status === 401) return 'Name or password is not right.';
  return trouble.message + wait;
}

export default function Login() {
  const [trouble, setTrouble] = useState('');
  const { register, handleSubmit, formState } = useForm({ resolver: zodResolver(form), defaultValues: { user: '', password: '' } });
  const go = handleSubmit(async (v) => {
    setTrouble('');
    await login(v.user, v.password).catch((e: unknown) => setTrouble(explainRefusal(e)));
  });
  return (
    <Door title="Log in">
      <form className="stack" onSubmit={go} noValidate>
        {trouble && <Notice tone="bad">{trouble}</Notice>}
        <TextInput label="Name" autoComplete="username" autoFocus error={formState.errors.user?.message} {...register('user')} />
        <PasswordInput label="Password" autoComplete="current-password" error={formState.errors.password?.message} visibilityToggleButtonProps={{ 'aria-label': 'Show the password', tabIndex: 0 }} {...register('password')} />
        <Button type="submit" loading={formState.isSubmitting}>
          Log in
        </Button>
      </form>
    </Door>
  );
}
