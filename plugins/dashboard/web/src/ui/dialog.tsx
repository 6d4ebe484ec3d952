import { Button, Modal, TextInput } from '@mantine/core';
import { useState } from 'react';

/** A dialog. Scrolling is not locked: the lock would inject a style element, which the server's policy forbids. */
export function Dialog({ opened, close, title, children, size }: { opened: boolean; close: () => void; title: string; children: React.ReactNode; size?: string }) {
  return (
    <Modal opened={opened} onClose={close} title={title} lockScroll={false} size={size ?? 'md'} centered transitionProps={{ duration: 0 }} closeButtonProps={{ 'aria-label': 'Close' }}>
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
  if (!question) return null;
  const go = async () => {
    setBusy(true);
    await question.act(reason.trim());
    setBusy(false);
    setReason('');
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
