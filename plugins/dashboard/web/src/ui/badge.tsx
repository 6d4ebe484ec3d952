// A state: its colour, its own sign, and its word.

import type { Tone } from '../logic/status';
import { Icon, type IconName } from './icon';

const signs: Record<Tone, IconName> = { good: 'check', busy: 'down', wait: 'clock', warn: 'gear', bad: 'cross', back: 'back', idle: 'ring' };

export const toneSign = (tone: Tone): IconName => signs[tone];

export function Badge({ tone, children, wrap, sign }: { tone: Tone; children: React.ReactNode; wrap?: boolean; sign?: IconName }) {
  return (
    <span className={wrap ? 'badge wrap' : 'badge'} data-tone={tone}>
      <Icon name={sign ?? signs[tone]} size={14} />
      {children}
    </span>
  );
}
