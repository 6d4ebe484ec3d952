// A bar in parts: who has finished, who is on the way, who failed. Every part is also in the legend, in words and numbers.

import type { CampaignCounters } from '../api/schema';
import { count } from '../logic/format';
import { shares } from '../logic/series';
import { type Tone, walk } from '../logic/status';
import { toneSign } from './badge';
import { Icon } from './icon';

export interface Part {
  word: string;
  n: number;
  tone: Tone;
}

/** What the broker counts among the failed and is nobody's failure (cancelled, superseded) stands apart. */
export const partsOf = (c: CampaignCounters): Part[] => [
  ...walk.map((w) => ({ word: w.word, tone: w.tone, n: w.key === 'failed' ? c.failed - c.not_counting : c[w.key] })),
  ...(c.not_counting > 0 ? [{ word: 'Taken back', tone: 'idle' as Tone, n: c.not_counting }] : []),
];

export function Bar({ parts, thin, label }: { parts: Part[]; thin?: boolean; label: string }) {
  const widths = shares(parts.map((p) => p.n));
  const told = parts.filter((p) => p.n > 0).map((p) => `${count(p.n)} ${p.word.toLowerCase()}`).join(', ');
  return (
    <div className={thin ? 'bar thin' : 'bar'} role="img" aria-label={`${label}: ${told || 'none'}`}>
      {parts.map((p, i) => (p.n > 0 ? <span key={p.word} data-tone={p.tone} style={{ width: `${widths[i]}%` }} /> : null))}
    </div>
  );
}

/** The legend; a part can be chosen when `pick` is given. */
export function Legend({ parts, pick }: { parts: Part[]; pick?: (part: Part) => void }) {
  return (
    <ul className="legend">
      {parts.map((p) => {
        const inside = (
          <>
            <Icon name={toneSign(p.tone)} size={15} />
            <b>{count(p.n)}</b> {p.word}
          </>
        );
        return (
          <li key={p.word} data-tone={p.tone}>
            {pick ? (
              <button type="button" onClick={() => pick(p)}>
                {inside}
              </button>
            ) : (
              inside
            )}
          </li>
        );
      })}
    </ul>
  );
}
