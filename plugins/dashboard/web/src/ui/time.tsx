// Moments that grow old in front of the reader: one clock for the whole page.

import { useSyncExternalStore } from 'react';
import { ago, moment } from '../logic/format';

let now = Date.now();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const tell of listeners) tell();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The wall clock, once a second. */
export const useNow = () => useSyncExternalStore(subscribe, () => now);

/** "3 min ago", the whole moment in the viewer's zone on hover. */
export function Ago({ at, none = 'never' }: { at: string | null | undefined; none?: string }) {
  return at ? <Ticking at={at} /> : <span className="quiet">{none}</span>;
}

function Ticking({ at }: { at: string }) {
  const text = useSyncExternalStore(subscribe, () => ago(at, Math.max(now, Date.now() - 1000)));
  return (
    <time dateTime={at} title={moment(at)} className="num">
      {text}
    </time>
  );
}

export function Moment({ at, none = 'never' }: { at: string | null | undefined; none?: string }) {
  return at ? (
    <time dateTime={at} className="num">
      {moment(at)}
    </time>
  ) : (
    <span className="quiet">{none}</span>
  );
}
