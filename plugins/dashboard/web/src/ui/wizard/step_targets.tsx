import { Autocomplete, Checkbox, TagsInput, Textarea, TextInput } from '@mantine/core';
import { Controller, useFormContext } from 'react-hook-form';
import { useQuery } from 'urql';
import { MenusQuery } from '../../api/documents';
import type { Form } from '../../logic/new_campaign';

/** Who is meant. All that is given must hold; nothing given means every accepted device of the release's models. */
export function StepTargets() {
  const { register, control, formState } = useFormContext<Form>();
  const [{ data: menus }] = useQuery({ query: MenusQuery });
  return (
    <>
      <p className="quiet">All that you give here must hold. Give nothing, and every accepted device of the release&rsquo;s models is meant.</p>
      <div className="form-grid">
        <Controller control={control} name="model" render={({ field }) => <Autocomplete label="Model" placeholder="Any of the release's" data={menus?.models.filter(Boolean) ?? []} {...field} />} />
        <TextInput label="Runs now" placeholder="< v1.1.0" description="A version or a range" error={formState.errors.fw_version?.message} {...register('fw_version')} />
      </div>
      <Controller control={control} name="tags" render={({ field }) => <TagsInput label="Has all these tags" placeholder={field.value.length ? '' : 'Any'} data={menus?.tags ?? []} {...field} />} />
      <Textarea label="Only these serial numbers" description="One a line, or with commas between; empty means all" autosize minRows={2} maxRows={8} error={formState.errors.devices?.message} {...register('devices')} />
      <Checkbox label="Devices that come to match later take part too" {...register('dynamic')} />
      <Checkbox label="An older version may replace a newer one" description="Otherwise a device that already runs a newer version is left alone" {...register('allow_downgrade')} />
      <Checkbox label="Older campaigns for the same devices give way" description="Where an update can still be stopped" {...register('supersedes')} />
    </>
  );
}
