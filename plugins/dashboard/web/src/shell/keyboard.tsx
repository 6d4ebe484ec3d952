import { useEffect } from 'react';
import { useNavigate } from 'react-router-dom';
import { keyboard, type Wish } from '../logic/keys';
import { Dialog } from '../ui/dialog';

/** Listens for the page's keys; what is no movement goes to `wish`. `/` focuses the page's own search field. */
export function useKeyboard(wish: (w: Wish) => void) {
  const go = useNavigate();
  useEffect(() => {
    const read = keyboard();
    const heard = (e: KeyboardEvent) => {
      const el = e.target as HTMLElement;
      const typing = el.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName);
      const w = read({ key: e.key, ctrlKey: e.ctrlKey, metaKey: e.metaKey, altKey: e.altKey, typing, at: e.timeStamp });
      if (!w || document.querySelector('[role=dialog]')) return;
      e.preventDefault();
      if (typeof w === 'object') go(w.go);
      else if (w === 'find') {
        const field = document.querySelector<HTMLElement>('[data-find]');
        if (field) field.focus();
        else wish('palette');
      } else wish(w);
    };
    document.addEventListener('keydown', heard);
    return () => document.removeEventListener('keydown', heard);
  }, [go, wish]);
}

const told: [string, string][] = [
  ['Ctrl K', 'go anywhere: a page, a serial number, a campaign'],
  ['/', 'find on this page'],
  ['g o', 'overview'],
  ['g d', 'devices'],
  ['g f', 'firmware'],
  ['g c', 'campaigns'],
  ['g l', 'alerts'],
  ['g b', 'broker'],
  ['g a', 'audit'],
  ['g u', 'users'],
  ['g s', 'settings'],
  ['?', 'this list'],
];

export function Help({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Dialog opened={opened} close={close} title="Keys">
      <dl className="keys">
        {told.map(([key, what]) => (
          <div key={key} style={{ display: 'contents' }}>
            <dt>
              {key.split(' ').map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
