import { Button } from '@mantine/core';
import { useState } from 'react';
import { useMutation } from 'urql';
import * as D from '../api/documents';
import { count } from '../logic/format';
import { actions } from '../logic/status';
import { useMay } from '../shell/who';
import { Confirm, Dialog, type Question } from './dialog';
import { Icon } from './icon';
import { answered } from './toast';

/** What may be done to a campaign now, each saying what it will do before it does. */
export function CampaignActions({ campaign: c, changed }: { campaign: D.CampaignDetail; changed: () => void }) {
  const may = useMay('OPERATOR');
  const [question, setQuestion] = useState<Question | null>(null);
  const [cancelled, setCancelled] = useState<D.Cancelled | null>(null);
  const [, start] = useMutation(D.StartCampaign);
  const [, pause] = useMutation(D.PauseCampaign);
  const [, resume] = useMutation(D.ResumeCampaign);
  const [, advance] = useMutation(D.AdvanceCampaign);
  const [, cancel] = useMutation(D.CancelCampaign);
  if (!may) return null;
  const can = actions(c);
  const id = c.campaign_id;
  const n = c.counters;
  const first = c.phases[0];
  const next = c.phases.find((p) => p.state === 'WAITING');
  return (
    <>
      {can.start && <Button leftSection={<Icon name="play" size={15} />} onClick={() => setQuestion({ title: `Start ${c.name}?`, body: first ? `${count(n.total)} devices are meant. The first phase, ${first.percent} %, is told to update now.` : `All ${count(n.total)} devices are told to update now.`, yes: 'Start it', act: async () => answered(await start({ id }), 'Started') && changed() })}>Start</Button>}
      {can.pause && <Button variant="default" leftSection={<Icon name="pause" size={15} />} onClick={() => setQuestion({ title: `Pause ${c.name}?`, body: `No further device is told to update. The ${count(n.in_flight)} under way go on to their end; ${count(n.pending)} wait until it is resumed.`, yes: 'Pause it', reason: true, act: async (reason) => answered(await pause({ id, reason: reason || undefined }), 'Paused') && changed() })}>Pause</Button>}
      {can.resume && <Button leftSection={<Icon name="play" size={15} />} onClick={() => setQuestion({ title: `Resume ${c.name}?`, body: `Devices of phase ${c.phase} are told to update again, at most ${count(c.max_in_flight)} at once.`, yes: 'Resume it', act: async () => answered(await resume({ id }), 'Resumed') && changed() })}>Resume</Button>}
      {can.advance && next && <Button variant="default" leftSection={<Icon name="next" size={15} />} onClick={() => setQuestion({ title: `Open phase ${next.number} now?`, body: `Its gate (${c.phases[next.number - 2]?.success_percent ?? 0} % good) is passed over, and ${count(next.counters.total)} more devices are told to update. This is kept in the audit.`, yes: `Open phase ${next.number}`, danger: true, act: async () => answered(await advance({ id }), `Phase ${next.number} is open`) && changed() })}>Next phase</Button>}
      {can.cancel && (
        <Button
          variant="default"
          leftSection={<Icon name="stop" size={15} />}
          onClick={() =>
            setQuestion({
              title: `Cancel ${c.name}?`,
              body: (
                <ul style={{ margin: 0, paddingLeft: '1.1rem' }}>
                  <li>{count(n.pending)} devices that have not begun will never be told.</li>
                  <li>{count(n.downloading)} downloads are cut, and their addresses stop working.</li>
                  <li>{count(n.installing)} that are installing cannot be stopped; they are followed to their end.</li>
                  <li>{count(n.completed)} that have updated keep the new version.</li>
                  <li>This cannot be undone; a new campaign can be made.</li>
                </ul>
              ),
              yes: 'Cancel the campaign',
              danger: true,
              reason: true,
              act: async (reason) => {
                const done = await cancel({ id, reason: reason || undefined });
                if (!answered(done) || !done.data) return;
                setCancelled(done.data.cancelCampaign);
                changed();
              },
            })
          }
        >
          Cancel
        </Button>
      )}
      <Confirm question={question} close={() => setQuestion(null)} />
      <Dialog opened={cancelled !== null} close={() => setCancelled(null)} title="Cancelled">
        {cancelled && (
          <dl className="facts">
            <dt>Stopped at once</dt>
            <dd className="num">{count(cancelled.stopped)}</dd>
            <dt>Asked to stop</dt>
            <dd className="num">{count(cancelled.asked)}</dd>
            <dt>Too late</dt>
            <dd className="num">{count(cancelled.too_late)}</dd>
            <dt>Offline, told when back</dt>
            <dd className="num">{count(cancelled.offline)}</dd>
          </dl>
        )}
      </Dialog>
    </>
  );
}
