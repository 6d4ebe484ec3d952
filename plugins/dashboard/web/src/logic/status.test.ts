import { describe, expect, it } from 'vitest';
import { actions, campaign, plain, presence, told, update, updateTone, wentBad, wentWrong } from './status';

describe('the words of an update', () => {
  const row = (status: never, stage = '', progress: number | null = null, reason = '') => update({ status, stage, progress, reason });
  it('a rollback reads as the architecture document wants it', () => expect(row('ROLLBACK' as never)).toEqual({ word: 'Update Failed - Rolled Back', tone: 'back' }));
  it('a download says how far it is, when it is known', () => {
    expect(row('DOWNLOADING' as never, 'downloading', 45).word).toBe('Downloading 45 %');
    expect(row('DOWNLOADING' as never).word).toBe('Downloading');
  });
  it('probation is told apart from installing', () => expect(row('INSTALLING' as never, 'probation').word).toBe('On probation'));
  it.each([['cancelled', 'Cancelled'], ['superseded', 'Superseded'], ['device_removed', 'Device removed']])('one that ended as %s is no failure', (reason, word) => {
    expect(row('FAILED' as never, 'failed', null, reason)).toEqual({ word, tone: 'idle' });
    expect(wentWrong({ status: 'FAILED', reason })).toBe(false);
  });
  it('one that failed may be tried again', () => expect(wentWrong({ status: 'FAILED', reason: 'checksum_mismatch' })).toBe(true));
});

it('a campaign counts what failed or went back, and not what was taken back', () => expect(wentBad({ failed: 5, not_counting: 4, rollback: 2 })).toBe(3));

describe('a timeline', () => {
  const event = (more: object) => told({ kind: 'UPDATE', text: 'Update rollback (rollback_reported): boot_loop', status: 'rollback', stage: 'rollback_reported', reason: 'boot_loop', detail: '{"a":1}', ...more });
  it('speaks of updates in their words, not in those of the machine', () => expect(event({})).toEqual({ text: 'Update Failed - Rolled Back: boot loop', more: '', tone: 'back' }));
  it('takes the broker\'s text for what it does not know', () => expect(event({ status: 'new', text: 'Something new' }).text).toBe('Something new'));
  it('says what a setting was', () => expect(event({ kind: 'SETTING', text: 'Set a to 2', detail: '1' })).toEqual({ text: 'Set a to 2', more: 'It was 1', tone: 'idle' }));
});

it.each([['Update Failed - Rolled Back', 'back'], ['Update Failed', 'bad'], ['Downloading 45 %', 'busy'], ['Up to date', 'good'], ['Installing', 'warn'], ['Installed, being watched', 'warn'], ['Told to update', 'busy'], ['Waiting for its turn', 'wait']])('"%s" has the tone %s', (text, tone) => expect(updateTone(text)).toBe(tone));

it('a device that was never seen is not called offline', () => {
  expect(presence({ status: 'OFFLINE', ever_seen: false }).word).toBe('Never seen');
  expect(presence({ status: 'OFFLINE', ever_seen: true }).word).toBe('Offline');
});

describe('a campaign', () => {
  it('that is active and paused is called paused', () => expect(campaign({ status: 'ACTIVE', stage: 'paused' }).word).toBe('Paused'));
  it('that stopped itself is no ordinary cancellation', () => expect(campaign({ status: 'CANCELLED', stage: 'policy_abort' }).tone).toBe('bad'));
  it('offers only what its state allows', () => {
    expect(actions({ status: 'PENDING', stage: 'draft' })).toEqual({ start: true, pause: false, resume: false, advance: false, cancel: true });
    expect(actions({ status: 'ACTIVE', stage: 'running' })).toMatchObject({ pause: true, resume: false, cancel: true });
    expect(actions({ status: 'ACTIVE', stage: 'paused' })).toMatchObject({ pause: false, resume: true, cancel: true });
    expect(Object.values(actions({ status: 'COMPLETED', stage: 'all_terminal' }))).not.toContain(true);
  });
});

it('machine words become readable', () => expect(plain('boot_failed')).toBe('Boot failed'));
