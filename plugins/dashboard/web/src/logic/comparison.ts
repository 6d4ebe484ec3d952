import type { ComparisonMeasure } from '../api/schema';
import { count } from './format';

/** A measure's name for people. */
export function measure(name: string) {
  if (name === 'reconnects') return 'reconnects';
  if (name === 'errors') return 'errors';
  return name.startsWith('field:') ? name.slice('field:'.length) : name;
}

/** What the pairs of one measure have shown so far. */
export function verdict(m: Pick<ComparisonMeasure, 'pairs' | 'worse' | 'better' | 'evidence' | 'needed' | 'shown'>) {
  if (m.shown) return 'Worse: shown';
  if (m.pairs === 0) return 'No pairs yet';
  const differ = m.worse + m.better;
  if (differ === 0) return 'No difference';
  if (m.evidence <= 1) return `No harm seen in ${count(differ)} that differ`;
  return `Not shown: ${Math.min(99, Math.floor((100 * Math.log(m.evidence)) / Math.log(m.needed)))} % of the way`;
}
