// Short answers to what somebody has just done. They are read out, and leave by themselves.

import { useSyncExternalStore } from 'react';
import type { CombinedError } from 'urql';
import { sentence } from '../api/client';
import type { Tone } from '../logic/status';
import { toneSign } from './badge';
import { Icon } from './icon';

interface Toast {
  id: number;
  tone: Tone;
  text: string;
}

let toasts: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();
const tell = () => listeners.forEach((l) => l());

/** Says `text` for some seconds; troubles stay longer. At most five at once, the oldest leaves. */
export function say(text: string, tone: Tone = 'good') {
  const id = ++last;
  toasts = [...toasts, { id, tone, text }].slice(-5);
  tell();
  setTimeout(() => {
    toasts = toasts.filter((t) => t.id !== id);
    tell();
  }, tone === 'bad' ? 9000 : 5000);
}

/** The answer to a mutation: says the trouble, or `done`. True when it went well. */
export function answered(result: { error?: CombinedError }, done?: string): boolean {
  if (result.error) say(sentence(result.error), 'bad');
  else if (done) say(done);
  return !result.error;
}

export function Toasts() {
  const all = useSyncExternalStore(
    (l) => (listeners.add(l), () => void listeners.delete(l)),
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((t) => (
        <div key={t.id} className="toast" data-tone={t.tone}>
          <Icon name={toneSign(t.tone)} size={16} />
          <span>{t.text}</span>
        </div>
      ))}
    </div>
  );
}
