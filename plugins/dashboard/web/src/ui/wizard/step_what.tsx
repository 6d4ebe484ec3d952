import { Button, TextInput } from '@mantine/core';
import { useFormContext } from 'react-hook-form';
import { Link } from 'react-router-dom';
import { useQuery } from 'urql';
import { FirmwaresQuery } from '../../api/documents';
import { bytes, count } from '../../logic/format';
import type { Form } from '../../logic/new_campaign';
import { Badge } from '../badge';
import { Bones, Empty, Trouble } from '../states';
import { Ago } from '../time';

/** A name, and one of the releases. */
export function StepWhat() {
  const { register, formState } = useFormContext<Form>();
  const [{ data, error, fetching }, ask] = useQuery({ query: FirmwaresQuery });
  const all = data?.firmwares ?? [];
  return (
    <>
      <TextInput label="Name" placeholder="Spring fixes" autoFocus error={formState.errors.name?.message} {...register('name')} />
      {error && <Trouble error={error} retry={() => ask()} />}
      {fetching && !data && <Bones />}
      {data && all.length === 0 && (
        <Empty icon="firmware" title="Nothing to ship yet" action={<Button component={Link} to="/firmware" variant="light">Upload a release</Button>}>
          A campaign brings a release that the broker holds.
        </Empty>
      )}
      {all.length > 0 && (
        <fieldset className="choices" aria-describedby="firmware-error">
          <legend className="strong" style={{ marginBottom: '0.4rem' }}>
            Release
          </legend>
          {all.map((f) => (
            <label key={f.firmware_id} className="choice">
              <input type="radio" value={f.firmware_id} {...register('firmware_id')} />
              <span className="line ends">
                <b className="num">{f.version}</b>
                <Badge tone={f.signed ? 'good' : 'bad'} sign={f.signed ? 'shield' : 'bang'}>{f.signed ? 'Signed' : 'Unsigned'}</Badge>
              </span>
              <span className="small">{f.models.length ? f.models.join(', ') : f.model}</span>
              <br />
              <span className="quiet small">
                {bytes(f.size_bytes)} · runs on {count(f.running_on)} · uploaded <Ago at={f.uploaded_at} />
              </span>
            </label>
          ))}
        </fieldset>
      )}
      <p id="firmware-error" className="small" style={{ color: 'var(--bad)' }} role="alert">
        {formState.errors.firmware_id?.message}
      </p>
    </>
  );
}
