import { Button, TagsInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { useMutation, useQuery, useSubscription } from 'urql';
import * as D from '../api/documents';
import { bytes, moment, zoneName } from '../logic/format';
import { plain, presence, update, updateTone } from '../logic/status';
import { useMay } from '../shell/who';
import { AlertList } from '../ui/alert_list';
import { Badge } from '../ui/badge';
import { Bar } from '../ui/bar';
import { Card } from '../ui/card';
import { Confirm, Dialog, type Question } from '../ui/dialog';
import { Icon } from '../ui/icon';
import { Menu } from '../ui/menu';
import { Page } from '../ui/page';
import { SessionsTable } from '../ui/sessions_table';
import { DeviceSettings, SettingHistory } from '../ui/settings_of_device';
import { Bones, Empty, Notice, Trouble } from '../ui/states';
import { Ago, Moment } from '../ui/time';
import { Timeline } from '../ui/timeline';
import { answered } from '../ui/toast';
import { UpdatesTable } from '../ui/updates_table';
import { Why } from '../ui/why';

export default function Device() {
  const id = useParams().id ?? '';
  const [{ data, error, fetching }, ask] = useQuery({ query: D.DeviceQuery, variables: { id } });
  const refresh = () => ask({ requestPolicy: 'network-only' });
  const [why, setWhy] = useState(false);
  // The pushed row says that something changed; the rest of the page is asked for anew, at most as often as it is pushed.
  const [{ data: live }] = useSubscription({ query: D.DeviceLive, variables: { id } }, (before: D.DeviceRow | undefined, next) => {
    if (before) refresh();
    return next.deviceUpdated;
  });
  void live;

  if (error && !data) return <Page title={id}><Trouble error={error} retry={refresh} /></Page>;
  if (!data) return <Page title={id}><Bones lines={8} /></Page>;
  const d = data.device;
  if (!d)
    return (
      <Page title={id}>
        <Empty icon="devices" title="No such device" action={<Button component={Link} to="/devices" variant="default">All devices</Button>}>
          No device has this serial number or id. It may have been removed.
        </Empty>
      </Page>
    );
  const here = presence(d);
  return (
    <Page
      title={d.serial_no}
      badge={<Badge tone={here.tone} sign={here.tone === 'good' ? 'dot' : undefined}>{here.word}</Badge>}
      lead={<>{d.model || 'Unknown model'} on {d.current_firmware || 'unknown firmware'}, last seen <Ago at={d.ever_seen ? d.last_seen : null} /></>}
      aside={
        <>
          <Button variant="light" leftSection={<Icon name="question" size={16} />} onClick={() => setWhy(true)}>
            Why not updated?
          </Button>
          <Actions device={d} changed={refresh} />
        </>
      }
    >
      <Newest device={d} />
      {d.registration !== 'ACCEPTED' && <RegistrationNotice device={d} changed={refresh} />}
      <div className="columns wide-left">
        <div className="stack">
          <Card title="Timeline"><Timeline key={d.device_id} id={id} timeline={d.timeline} /></Card>
          <Card title="Configuration" flush><DeviceSettings id={id} settings={d.configuration} changed={refresh} /></Card>
        </div>
        <div className="stack">
          <Facts device={d} />
          <FirmwareHistory device={d} />
          {d.alerts.length > 0 && <Card title="Alerts"><AlertList alerts={d.alerts} changed={refresh} /></Card>}
          <Card title="Changed settings"><SettingHistory changes={d.configuration_history} /></Card>
        </div>
      </div>
      <Card title="Updates" flush><UpdatesTable rows={d.updates} of="device" changed={refresh} /></Card>
      <Card title="MQTT sessions" flush>
        {d.sessions.length ? <SessionsTable sessions={d.sessions} /> : <Empty icon="plug" title="No session">It is not connected, and has left none behind.</Empty>}
      </Card>
      {fetching && <span className="hidden-text" role="status">Refreshing</span>}
      {why && <Why id={id} close={() => setWhy(false)} />}
    </Page>
  );
}

/** The newest update: what is under way, or how it ended, in the document's words. */
function Newest({ device: d }: { device: D.DeviceDetail }) {
  const now = d.current_update;
  if (now) {
    const said = update(now);
    return (
      <div className="card">
        <div className="body stack tight">
          <div className="line ends">
            <Badge tone={said.tone}>{said.word}</Badge>
            <span className="small">
              {now.from_version || 'unknown'} → <b>{now.to_version}</b> in <Link to={`/campaigns/${now.campaign_id}`}>{now.campaign_name}</Link>
            </span>
          </div>
          {now.status === 'DOWNLOADING' && <Bar label="Download" parts={[{ word: 'loaded', n: now.progress ?? 0, tone: 'busy' }, { word: 'to come', n: 100 - (now.progress ?? 0), tone: 'wait' }]} />}
          <span className="quiet small">
            Attempt {now.attempt}, {plain(now.stage).toLowerCase()}, {bytes(now.bytes)} fetched, changed <Ago at={now.updated_at} />
          </span>
        </div>
      </div>
    );
  }
  if (!d.update_status) return null;
  const tone = updateTone(d.update_status);
  if (tone !== 'bad' && tone !== 'back') return null;
  return (
    <Notice tone={tone} icon={tone === 'back' ? 'back' : 'cross'}>
      <strong>{d.update_status}</strong>
      {d.update_error && <div className="more">{d.update_error}</div>}
    </Notice>
  );
}

function RegistrationNotice({ device: d, changed }: { device: D.DeviceDetail; changed: () => void }) {
  const may = useMay('OPERATOR');
  const [, accept] = useMutation(D.AcceptDevice);
  const text = {
    QUARANTINED: 'In quarantine: it may connect and say how it is, but takes part in no update until somebody accepts it.',
    BLOCKED: 'Blocked: it is disconnected when it tries to connect.',
    IMPORTED: 'Imported: known by name, and not seen yet.',
    ACCEPTED: '',
  }[d.registration];
  return (
    <Notice
      tone="warn"
      icon="shield"
      action={may && d.registration !== 'IMPORTED' && <Button size="xs" variant="default" onClick={async () => answered(await accept({ id: d.device_id }), 'Accepted') && changed()}>Accept it</Button>}
    >
      {text}
    </Notice>
  );
}

function Facts({ device: d }: { device: D.DeviceDetail }) {
  return (
    <Card title="Facts">
      <dl className="facts">
        <dt>Registration</dt>
        <dd>{plain(d.registration.toLowerCase())}</dd>
        <dt>Known since</dt>
        <dd><Moment at={d.created_at} /></dd>
        <dt>Boot slot</dt>
        <dd>{d.boot_slot || <span className="quiet">not reported</span>}</dd>
        <dt>Security counter</dt>
        <dd className="num">{d.security_counter ?? <span className="quiet">not reported</span>}</dd>
        <dt>Keys</dt>
        <dd className="num">{d.keys_version === null ? <span className="quiet">not reported</span> : `version ${d.keys_version}`}</dd>
        <dt>Tags</dt>
        <dd>{d.tags.length ? <ul className="chips">{d.tags.map((t) => <li key={t} className="chip"><Link to={`/devices?tag=${encodeURIComponent(t)}`}>{t}</Link></li>)}</ul> : <span className="quiet">none</span>}</dd>
        <dt>Device id</dt>
        <dd><code>{d.device_id}</code></dd>
        <dt>Times</dt>
        <dd>{zoneName()}</dd>
      </dl>
    </Card>
  );
}

function FirmwareHistory({ device: d }: { device: D.DeviceDetail }) {
  return (
    <Card title="Firmware history">
      {d.firmware_history.length === 0 ? (
        <p className="quiet">It has run {d.current_firmware || 'one unknown version'} since it is known.</p>
      ) : (
        <ol className="events">
          {d.firmware_history.map((f, i) => (
            <li key={`${f.version} ${i}`} data-tone={f.outcome === 'rollback' ? 'back' : 'good'}>
              <Icon name={f.outcome === 'rollback' ? 'back' : 'check'} size={16} />
              <span>
                <b>{f.version}</b> <span className="quiet small">{f.outcome === 'rollback' ? 'went back to it' : 'came with'} {f.campaign_id ? <Link to={`/campaigns/${f.campaign_id}`}>a campaign</Link> : ''}</span>
              </span>
              <span className="when" title={f.at ? moment(f.at) : undefined}><Ago at={f.at} none="" /></span>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function Actions({ device: d, changed }: { device: D.DeviceDetail; changed: () => void }) {
  const operator = useMay('OPERATOR');
  const admin = useMay('ADMIN');
  const go = useNavigate();
  const [question, setQuestion] = useState<Question | null>(null);
  const [tags, setTags] = useState<string[] | null>(null);
  const [, accept] = useMutation(D.AcceptDevice);
  const [, block] = useMutation(D.BlockDevice);
  const [, tag] = useMutation(D.TagDevice);
  const [, kick] = useMutation(D.KickSession);
  const [, remove] = useMutation(D.RemoveDevice);
  if (!operator) return null;
  const id = d.device_id;
  return (
    <>
      <Menu>
        <Menu.Target><Button variant="default" leftSection={<Icon name="menu" size={16} />}>Actions</Button></Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="tag" size={15} />} onClick={() => setTags(d.tags)}>Tags</Menu.Item>
          <Menu.Item leftSection={<Icon name="plug" size={15} />} disabled={!d.sessions.some((s) => s.connected)} onClick={() => setQuestion({ title: 'Disconnect it?', body: 'Its MQTT connections are cut. It may come back at once; use Block to keep it out.', yes: 'Disconnect', act: async () => answered(await kick({ identity: d.serial_no }), 'Disconnected') && changed() })}>Disconnect</Menu.Item>
          {d.registration !== 'BLOCKED' ? (
            <Menu.Item leftSection={<Icon name="shield" size={15} />} onClick={() => setQuestion({ title: `Block ${d.serial_no}?`, body: 'It is disconnected and cannot return. An update under way ends as "device removed". Accepting it later undoes this.', yes: 'Block it', danger: true, reason: true, act: async (reason) => answered(await block({ id, reason: reason || undefined }), 'Blocked') && changed() })}>Block</Menu.Item>
          ) : (
            <Menu.Item leftSection={<Icon name="check" size={15} />} onClick={async () => answered(await accept({ id }), 'Accepted') && changed()}>Accept again</Menu.Item>
          )}
          {admin && (
            <Menu.Item className="danger" leftSection={<Icon name="bin" size={15} />} onClick={() => setQuestion({ title: `Remove ${d.serial_no}?`, body: 'Its record, settings and history here are deleted. If it comes back with a valid certificate it is registered anew.', yes: 'Remove it', danger: true, act: async () => answered(await remove({ id }), 'Removed') && go('/devices') })}>Remove</Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Confirm question={question} close={() => setQuestion(null)} />
      <Dialog opened={tags !== null} close={() => setTags(null)} title="Tags">
        <form
          className="stack"
          onSubmit={async (e) => {
            e.preventDefault();
            const next = tags ?? [];
            const done = await tag({ id, add: next.filter((t) => !d.tags.includes(t)), remove: d.tags.filter((t) => !next.includes(t)) });
            if (answered(done, 'Tags changed')) (setTags(null), changed());
          }}
        >
          <TagsInput data-autofocus label="Tags of this device" value={tags ?? []} onChange={setTags} />
          <Button type="submit">Save</Button>
        </form>
      </Dialog>
    </>
  );
}
