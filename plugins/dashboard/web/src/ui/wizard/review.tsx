import { useFormContext } from 'react-hook-form';
import { useQuery } from 'urql';
import { FirmwaresQuery } from '../../api/documents';
import { type Form, serials } from '../../logic/new_campaign';
import { moment, percent, zoneName } from '../../logic/format';

/** Everything that was chosen, in sentences. */
export function Review() {
  const v = useFormContext<Form>().getValues();
  const [{ data }] = useQuery({ query: FirmwaresQuery });
  const release = data?.firmwares.find((f) => f.firmware_id === v.firmware_id);
  const named = serials(v.devices);
  const who = [v.model && `model ${v.model}`, v.fw_version && `running ${v.fw_version}`, v.tags.length > 0 && `tagged ${v.tags.join(' and ')}`, named.length > 0 && `among ${named.length} named`].filter(Boolean);
  const rows: [string, React.ReactNode][] = [
    ['Name', v.name],
    ['Ships', release ? `${release.version} for ${release.models.join(', ') || release.model}${release.signed ? ', signed' : ', NOT signed'}` : v.firmware_id],
    ['To', who.length ? `Accepted devices ${who.join(', ')}` : "Every accepted device of the release's models"],
    ['Phases', v.gated ? v.phases.map((p) => `${percent(Number(p.percent))} (then ${p.soak_min} min, ${p.success_percent} % good)`).join(' → ') : 'None: everyone at once'],
    ['At once', v.max_in_flight === '' ? "The broker's default" : `${v.max_in_flight} devices`],
    ['Per minute', v.rate_per_min === '' ? "The broker's default" : v.rate_per_min === 0 ? 'No limit' : `${v.rate_per_min} devices`],
    ['Starts', v.start_at ? `${moment(new Date(v.start_at).toISOString())} (${zoneName()})` : 'When you say so'],
    ['Ends', v.expires_at ? moment(new Date(v.expires_at).toISOString()) : 'When every device has finished'],
    ['Also', [v.dynamic && 'late comers take part', v.allow_downgrade && 'older may replace newer', v.supersedes && 'older campaigns give way'].filter(Boolean).join('; ') || 'Nothing'],
  ];
  return (
    <dl className="facts">
      {rows.map(([what, value]) => (
        <div key={what} style={{ display: 'contents' }}>
          <dt>{what}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
