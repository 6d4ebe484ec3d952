import { Button, Modal, TextInput } from '@mantine/core';
import { useEffect, useLayoutEffect, useState } from 'react';

let open = 0;

/** What had the focus when a dialog opens: for an item of a menu, which goes with the menu, the button that opened that. */
function opener(): HTMLElement | null {
  const at = document.activeElement as HTMLElement | null;
  const menu = at?.closest('[role=menu]')?.getAttribute('aria-labelledby');
  return menu ? document.getElementById(menu) : at;
}

/**
 * Gives the focus back when the last dialog closes, also when it closes by being taken away, which Mantine's own return
 * does not see. What opened it may be gone by then (a campaign that is cancelled has no Cancel): the page's heading takes it.
 */
function useFocusBack(opened: boolean) {
  useLayoutEffect(() => {
    if (!opened) return;
    const from = opener();
    open++;
    return () => {
      open--;
      // After the page has drawn itself without the dialog: only then is it known what is left.
      setTimeout(() => {
        if (open > 0 || (document.activeElement && document.activeElement !== document.body)) return;
        const back = from?.isConnected && from !== document.body ? from : document.querySelector('h1');
        back?.focus({ preventScroll: true });
      });
    };
  }, [opened]);
}

/** A dialog. Scrolling is not locked: the lock would inject a style element, which the server's policy forbids. */
export function Dialog({ opened, close, title, children, size }: { opened: boolean; close: () => void; title: string; children: React.ReactNode; size?: string }) {
  useFocusBack(opened);
  return (
    <Modal opened={opened} onClose={close} title={title} lockScroll={false} returnFocus={false} size={size ?? 'md'} centered transitionProps={{ duration: 0 }} closeButtonProps={{ 'aria-label': 'Close' }}>
      {children}
    </Modal>
  );
}

export interface Question {
  title: string;
  /** What will happen, in the words of somebody who has to answer for it. */
  body: React.ReactNode;
  yes: string;
  danger?: boolean;
  /** Asks for a reason, which goes to the audit. */
  reason?: boolean;
  act: (reason: string) => Promise<unknown>;
}

/** Asks before something is done that cannot simply be undone. */
export function Confirm({ question, close }: { question: Question | null; close: () => void }) {
  const [busy, setBusy] = useState(false);
  const [reason, setReason] = useState('');
  // A reason that was typed for one question is none for the next.
  useEffect(() => setReason(''), [question]);
  if (!question) return null;
  const go = async () => {
    setBusy(true);
    await question.act(reason.trim());
    setBusy(false);
    close();
  };
  return (
    <Dialog opened close={close} title={question.title}>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void go();
        }}
      >
        <div>{question.body}</div>
        {question.reason && <TextInput label="Reason" description="Kept in the audit; may be empty" value={reason} onChange={(e) => setReason(e.currentTarget.value)} maxLength={200} />}
        <div className="line" style={{ justifyContent: 'flex-end' }}>
          <Button variant="default" onClick={close}>
            Leave it
          </Button>
          <Button type="submit" loading={busy} color={question.danger ? 'red' : undefined}>
            {question.yes}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
