// The words and colours of states. A colour never stands alone: each tone has its own sign and its word beside it.

import type { CampaignCounters, CampaignDevice, CampaignStatus, Device, TimelineEvent, UpdateStatus } from '../api/schema';

/** CSS knows a tone as data-tone; the hues keep apart for all common colour blindness (Okabe and Ito's set). */
export type Tone = 'good' | 'busy' | 'wait' | 'warn' | 'bad' | 'back' | 'idle';

export interface Said {
  word: string;
  tone: Tone;
}

export function presence(device: Pick<Device, 'status' | 'ever_seen'>): Said {
  if (!device.ever_seen) return { word: 'Never seen', tone: 'idle' };
  return { ONLINE: { word: 'Online', tone: 'good' as Tone }, OFFLINE: { word: 'Offline', tone: 'idle' as Tone }, UPDATING: { word: 'Updating', tone: 'busy' as Tone } }[device.status];
}

/** Ends that are nobody's failure: they say how an update was taken back. */
const takenBack: Record<string, string> = { cancelled: 'Cancelled', superseded: 'Superseded', not_applicable: 'Not applicable', device_removed: 'Device removed' };

const before: Record<string, string> = { admitted: 'Admitted', sent: 'Told to update', delivered: 'Told to update', accepted: 'Accepted', deferred: 'Deferred by the device' };

/** One device's update in the document's words. */
export function update(row: Pick<CampaignDevice, 'status' | 'stage' | 'reason' | 'progress'>): Said {
  switch (row.status) {
    case 'PENDING':
      return { word: before[row.stage] ?? 'Waiting', tone: 'wait' };
    case 'DOWNLOADING':
      return { word: row.progress === null ? 'Downloading' : `Downloading ${row.progress} %`, tone: 'busy' };
    case 'INSTALLING':
      return { word: row.stage === 'probation' ? 'On probation' : row.stage === 'rebooting' ? 'Rebooting' : 'Installing', tone: 'warn' };
    case 'COMPLETED':
      return { word: 'Completed', tone: 'good' };
    case 'ROLLBACK':
      return { word: 'Update Failed - Rolled Back', tone: 'back' };
    case 'FAILED':
      return takenBack[row.reason] ? { word: takenBack[row.reason]!, tone: 'idle' } : { word: 'Failed', tone: 'bad' };
  }
}

/** Did this update end badly, so that a new attempt may be asked for? */
export const wentWrong = (row: Pick<CampaignDevice, 'status' | 'reason'>) => row.status === 'ROLLBACK' || (row.status === 'FAILED' && !takenBack[row.reason]);

/** How many of a campaign ended badly: failed or went back; what was cancelled or superseded is no failure. */
export const wentBad = (n: Pick<CampaignCounters, 'failed' | 'not_counting' | 'rollback'>) => n.failed - n.not_counting + n.rollback;

/** An event of a device's timeline, as a sentence; updates in the words of `update`. */
export function told(e: Pick<TimelineEvent, 'kind' | 'text' | 'status' | 'stage' | 'reason' | 'detail'>): { text: string; more: string; tone: Tone } {
  if (e.kind === 'ALERT') return { text: e.text, more: '', tone: 'bad' };
  if (e.kind === 'SETTING') return { text: e.text, more: e.detail ? `It was ${e.detail}` : '', tone: 'idle' };
  const status = (e.status ?? '').toUpperCase() as UpdateStatus;
  const known = walk.some((w) => w.status === status);
  const said = known ? update({ status, stage: e.stage ?? '', reason: e.reason ?? '', progress: null }) : { word: e.text, tone: updateTone(e.text) };
  const reason = known && e.reason && !takenBack[e.reason] ? `: ${plain(e.reason).toLowerCase()}` : '';
  return { text: said.word + reason, more: e.detail && !/^[{[]/.test(e.detail) ? e.detail : '', tone: said.tone };
}

/** The tone of the sentence that the broker says about a device's newest update. */
export function updateTone(sentence: string): Tone {
  if (/rolled back/i.test(sentence)) return 'back';
  if (/fail|refus/i.test(sentence)) return 'bad';
  if (/download|sent|told/i.test(sentence)) return 'busy';
  if (/install|probation|reboot/i.test(sentence)) return 'warn';
  if (/up to date|completed/i.test(sentence)) return 'good';
  return 'wait';
}

/** A campaign: its public status, with the stage where that says more. */
export function campaign(of: { status: CampaignStatus; stage: string }): Said {
  if (of.status === 'ACTIVE' && of.stage === 'paused') return { word: 'Paused', tone: 'warn' };
  if (of.status === 'ACTIVE' && of.stage === 'draining') return { word: 'Finishing', tone: 'busy' };
  if (of.status === 'PENDING' && of.stage === 'scheduled') return { word: 'Scheduled', tone: 'wait' };
  if (of.status === 'CANCELLED' && of.stage === 'policy_abort') return { word: 'Stopped itself', tone: 'bad' };
  const words: Record<CampaignStatus, Said> = {
    PENDING: { word: 'Draft', tone: 'wait' },
    ACTIVE: { word: 'Running', tone: 'busy' },
    COMPLETED: { word: 'Completed', tone: 'good' },
    CANCELLED: { word: 'Cancelled', tone: 'idle' },
  };
  return words[of.status];
}

/** The parts of a campaign's bar, in the order in which devices walk through them. */
export const walk: { key: 'completed' | 'installing' | 'downloading' | 'rollback' | 'failed' | 'pending'; word: string; tone: Tone; status: UpdateStatus }[] = [
  { key: 'completed', word: 'Completed', tone: 'good', status: 'COMPLETED' },
  { key: 'installing', word: 'Installing', tone: 'warn', status: 'INSTALLING' },
  { key: 'downloading', word: 'Downloading', tone: 'busy', status: 'DOWNLOADING' },
  { key: 'rollback', word: 'Rolled back', tone: 'back', status: 'ROLLBACK' },
  { key: 'failed', word: 'Failed', tone: 'bad', status: 'FAILED' },
  { key: 'pending', word: 'Waiting', tone: 'wait', status: 'PENDING' },
];

/** boot_failed -> Boot failed. */
export const plain = (word: string) => (word ? word[0]!.toUpperCase() + word.slice(1).replaceAll('_', ' ') : '');

/** What may be done to a campaign in this state. */
export function actions(of: { status: CampaignStatus; stage: string }) {
  const active = of.status === 'ACTIVE';
  return {
    start: of.status === 'PENDING',
    pause: active && of.stage !== 'paused' && of.stage !== 'draining',
    resume: active && of.stage === 'paused',
    advance: active && of.stage !== 'draining',
    cancel: active || of.status === 'PENDING',
  };
}
