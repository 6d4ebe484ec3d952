// Ctrl K: type where to go. Pages are known here; devices and campaigns are asked for.

import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { useQuery } from 'urql';
import { atLeast } from '../api/auth';
import { CampaignsQuery, DevicesQuery } from '../api/documents';
import { Dialog } from '../ui/dialog';
import { Icon, type IconName } from '../ui/icon';
import { entries } from './nav';
import { useLogin } from './who';

interface Hit {
  to: string;
  word: string;
  kind: string;
  icon: IconName;
}

export function Palette({ opened, close }: { opened: boolean; close: () => void }) {
  return (
    <Dialog opened={opened} close={close} title="Go to">
      <Search close={close} />
    </Dialog>
  );
}

function Search({ close }: { close: () => void }) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const [asked] = useDebouncedValue(text.trim(), 120);
  const login = useLogin();
  const go = useNavigate();
  const [devices] = useQuery({ query: DevicesQuery, variables: { first: 6, search: asked }, pause: !asked });
  const [campaigns] = useQuery({ query: CampaignsQuery, variables: { first: 50 } });
  const like = text.trim().toLowerCase();

  const hits: Hit[] = [
    ...entries.flatMap((e) => e.of).filter((e) => (!e.needs || atLeast(login?.role, e.needs)) && e.word.toLowerCase().includes(like)).map((e) => ({ to: e.to, word: e.word, kind: 'Page', icon: e.icon })),
    ...(asked ? (devices.data?.devicesConnection.nodes ?? []) : []).map((d) => ({ to: `/devices/${encodeURIComponent(d.serial_no)}`, word: d.serial_no, kind: `${d.model} · ${d.current_firmware}`, icon: 'devices' as const })),
    ...(like ? (campaigns.data?.campaignsConnection.nodes ?? []) : []).filter((c) => c.name.toLowerCase().includes(like)).slice(0, 6).map((c) => ({ to: `/campaigns/${c.campaign_id}`, word: c.name, kind: 'Campaign', icon: 'campaigns' as const })),
  ];
  useEffect(() => setAt(0), [text]);
  const take = (hit: Hit | undefined) => {
    if (!hit) return;
    close();
    go(hit.to);
  };
  return (
    <>
      <TextInput
        data-autofocus
        aria-label="Page, serial number or campaign"
        placeholder="Page, serial number or campaign"
        role="combobox"
        aria-expanded
        aria-controls="palette-hits"
        aria-activedescendant={hits[at] ? `hit-${at}` : undefined}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key === 'Enter') take(hits[at]);
          if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            e.preventDefault();
            setAt((i) => (i + (e.key === 'ArrowDown' ? 1 : hits.length - 1)) % Math.max(1, hits.length));
          }
        }}
      />
      <ul className="palette-list" id="palette-hits" role="listbox" aria-label="Places">
        {hits.map((h, i) => (
          <li key={h.to} id={`hit-${i}`} role="option" aria-selected={i === at} onMouseEnter={() => setAt(i)} onClick={() => take(h)}>
            <Icon name={h.icon} size={16} />
            <span className="grow clip">{h.word}</span>
            <span className="quiet small">{h.kind}</span>
          </li>
        ))}
      </ul>
      {hits.length === 0 && <p className="quiet">Nothing begins like that.</p>}
    </>
  );
}
