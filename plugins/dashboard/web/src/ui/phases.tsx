import type { CampaignDetail } from '../api/documents';
import type { CampaignCounters } from '../api/schema';
import { count, percent, span } from '../logic/format';
import { wentBad } from '../logic/status';
import { Badge } from './badge';
import { Bar, partsOf } from './bar';

/** Of those that ended and count, how many are well; in percent. */
const good = (n: CampaignCounters) => (100 * n.completed) / Math.max(1, n.finished - n.not_counting);

const words = { WAITING: 'Waits', OPEN: 'Open', PASSED: 'Passed' } as const;

/** The phases side by side, each with what has become of the devices it added. */
export function Phases({ campaign: c }: { campaign: CampaignDetail }) {
  if (c.phases.length === 0) return <p className="quiet">None: every device was told at once.</p>;
  return (
    <ol className="phases">
      {c.phases.map((p) => (
        <li key={p.number} className="phase" data-state={p.state}>
          <div className="line ends">
            <span className="quiet small">Phase {p.number}</span>
            <Badge tone={p.state === 'PASSED' ? 'good' : p.state === 'OPEN' ? 'busy' : 'wait'} sign={p.state === 'OPEN' ? 'play' : undefined}>
              {words[p.state]}
            </Badge>
          </div>
          <span className="size num">{percent(p.percent)}</span>
          <Bar thin parts={partsOf(p.counters)} label={`Phase ${p.number}`} />
          <span className="small num">
            {count(p.counters.finished)} of {count(p.counters.total)} finished
            {wentBad(p.counters) > 0 && `, ${count(wentBad(p.counters))} failed`}
          </span>
          {p.number < c.phases.length && (
            <span className="small quiet">
              Gate: {percent(p.success_percent)} good, {p.soak_s ? `watched ${span(p.soak_s)}` : 'no waiting'}
              {p.state === 'OPEN' && p.counters.finished > 0 && `; now ${percent(good(p.counters))}`}
            </span>
          )}
          {p.number === c.phases.length && <span className="small quiet">The last one: no gate behind it</span>}
        </li>
      ))}
    </ol>
  );
}
