import { Button, Radio, TextInput } from '@mantine/core';
import { Controller, useFieldArray, useFormContext } from 'react-hook-form';
import { zoneName } from '../../logic/format';
import type { Form } from '../../logic/new_campaign';
import { Icon } from '../icon';
import { Notice } from '../states';

/** Phases with gates, how many at once, and when. */
export function StepPhases() {
  const { register, control, watch, formState } = useFormContext<Form>();
  const { fields, append, remove } = useFieldArray({ control, name: 'phases' });
  const errors = formState.errors;
  const gated = watch('gated');
  return (
    <>
      <Controller
        control={control}
        name="gated"
        render={({ field }) => (
          <Radio.Group label="Rollout" value={field.value ? 'gated' : 'all'} onChange={(v) => field.onChange(v === 'gated')}>
            <div className="stack tight" style={{ marginTop: '0.4rem' }}>
              <Radio value="gated" label="In phases: a few first, more when those are well" />
              <Radio value="all" label="Everyone at once" />
            </div>
          </Radio.Group>
        )}
      />
      {!gated && <Notice tone="warn">A bad image would reach every device before anybody can stop it. This choice is kept in the audit.</Notice>}
      {gated && (
        <div className="stack tight">
          {fields.map((f, i) => (
            <div className="phase-line" key={f.id}>
              <TextInput type="number" step="any" label={`Phase ${i + 1}, up to`} rightSection="%" error={errors.phases?.[i]?.percent?.message} {...register(`phases.${i}.percent`)} />
              <TextInput type="number" step="any" label="Watch for" rightSection="min" error={errors.phases?.[i]?.soak_min?.message} {...register(`phases.${i}.soak_min`)} />
              <TextInput type="number" step="any" label="Success needed" rightSection="%" error={errors.phases?.[i]?.success_percent?.message} {...register(`phases.${i}.success_percent`)} />
              <Button variant="default" aria-label={`Remove phase ${i + 1}`} disabled={fields.length === 1} onClick={() => remove(i)}>
                <Icon name="bin" size={16} />
              </Button>
            </div>
          ))}
          <p className="small" style={{ color: 'var(--bad)' }} role="alert">
            {errors.phases?.message ?? errors.phases?.root?.message}
          </p>
          <div>
            <Button variant="default" size="xs" leftSection={<Icon name="plus" size={14} />} onClick={() => append({ percent: 100, soak_min: 10, success_percent: 95 })}>
              One more phase
            </Button>
          </div>
        </div>
      )}
      <div className="form-grid">
        <TextInput type="number" label="At once, at most" description="Devices under way at the same time" placeholder="The broker's default" error={errors.max_in_flight?.message} {...register('max_in_flight')} />
        <TextInput type="number" label="Told per minute, at most" description="0 is no limit" placeholder="The broker's default" error={errors.rate_per_min?.message} {...register('rate_per_min')} />
        <TextInput type="datetime-local" label="Not before" description={`Empty is at once; ${zoneName()}`} error={errors.start_at?.message} {...register('start_at')} />
        <TextInput type="datetime-local" label="Ends at the latest" description="Devices that have not begun by then are left" error={errors.expires_at?.message} {...register('expires_at')} />
      </div>
    </>
  );
}
