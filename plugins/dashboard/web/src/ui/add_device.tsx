import { zodResolver } from '@hookform/resolvers/zod';
import { Button, TagsInput, TextInput } from '@mantine/core';
import { Controller, useForm } from 'react-hook-form';
import { useNavigate } from 'react-router-dom';
import { useMutation } from 'urql';
import { z } from '../logic/zod';
import { AddDevice } from '../api/documents';
import { Dialog } from './dialog';
import { answered } from './toast';

/** A serial number as topics and addresses carry it. */
const form = z.object({
  serial: z.string().trim().regex(/^[A-Za-z0-9._:-]{1,64}$/, '1 to 64 of A-Z a-z 0-9 . _ : -'),
  model: z.string().trim().max(64, 'At most 64 characters'),
  tags: z.array(z.string()),
});

export function AddDeviceDialog({ opened, close }: { opened: boolean; close: () => void }) {
  const go = useNavigate();
  const [, add] = useMutation(AddDevice);
  const { register, control, handleSubmit, formState, reset } = useForm({ resolver: zodResolver(form), defaultValues: { serial: '', model: '', tags: [] } });
  const submit = handleSubmit(async (v) => {
    const done = await add({ serialNo: v.serial, model: v.model || undefined, tags: v.tags.length ? v.tags : undefined });
    if (!answered(done, `${v.serial} may come`)) return;
    reset();
    close();
    go(`/devices/${encodeURIComponent(v.serial)}`);
  });
  return (
    <Dialog opened={opened} close={close} title="Add a device">
      <form className="stack" onSubmit={submit} noValidate>
        <p className="quiet">It is known before it comes: as imported, until its first heartbeat.</p>
        <TextInput data-autofocus label="Serial number" description="The name in its certificate" error={formState.errors.serial?.message} {...register('serial')} />
        <TextInput label="Model" error={formState.errors.model?.message} {...register('model')} />
        <Controller control={control} name="tags" render={({ field }) => <TagsInput label="Tags" {...field} />} />
        <Button type="submit" loading={formState.isSubmitting}>
          Add
        </Button>
      </form>
    </Dialog>
  );
}
