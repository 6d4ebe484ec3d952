// Keyboard: `g` then a letter goes to a page, `/` finds, `?` lists the keys. Never while somebody types.

export interface Stroke {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** The element that has the focus takes text. */
  typing: boolean;
  /** Milliseconds, any origin. */
  at: number;
}

export type Wish = { go: string } | 'find' | 'palette' | 'help' | 'new' | null;

export const pagesByKey: Record<string, string> = { o: '/', d: '/devices', f: '/firmware', c: '/campaigns', b: '/broker', l: '/alerts', a: '/audit', u: '/users', s: '/settings' };

/** Milliseconds within which the letter must follow the `g`. */
const patience = 1200;

/** Turns strokes into wishes; holds only the pending `g`. */
export function keyboard() {
  let g = Number.NEGATIVE_INFINITY;
  return (s: Stroke): Wish => {
    if ((s.ctrlKey || s.metaKey) && !s.altKey && s.key.toLowerCase() === 'k') return 'palette';
    if (s.typing || s.ctrlKey || s.metaKey || s.altKey) return null;
    const second = s.at - g < patience;
    g = Number.NEGATIVE_INFINITY;
    if (second && pagesByKey[s.key]) return { go: pagesByKey[s.key]! };
    if (s.key === 'g') g = s.at;
    if (s.key === '/') return 'find';
    if (s.key === '?') return 'help';
    return null;
  };
}
