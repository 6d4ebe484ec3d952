import { useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { Link, NavLink, useLocation } from 'react-router-dom';
import { atLeast, logout } from '../api/auth';
import { socketState } from '../api/client';
import type { Role } from '../api/schema';
import { Icon, type IconName, Mark } from '../ui/icon';
import { useOverview } from './overview';
import { useLogin } from './who';

interface Entry {
  to: string;
  word: string;
  icon: IconName;
  needs?: Role;
}
export const entries: { part: string; of: Entry[] }[] = [
  {
    part: 'Fleet',
    of: [
      { to: '/', word: 'Overview', icon: 'overview' },
      { to: '/devices', word: 'Devices', icon: 'devices' },
      { to: '/alerts', word: 'Alerts', icon: 'alerts' },
    ],
  },
  {
    part: 'Updates',
    of: [
      { to: '/firmware', word: 'Firmware', icon: 'firmware' },
      { to: '/campaigns', word: 'Campaigns', icon: 'campaigns' },
    ],
  },
  {
    part: 'House',
    of: [
      { to: '/broker', word: 'Broker', icon: 'broker' },
      { to: '/audit', word: 'Audit', icon: 'audit', needs: 'ADMIN' },
      { to: '/users', word: 'Users', icon: 'users', needs: 'ADMIN' },
      { to: '/settings', word: 'Settings', icon: 'settings' },
    ],
  },
];

const wireWords = { open: 'Live', connecting: 'Connecting', lost: 'Live updates lost' };

export function Nav({ find }: { find: () => void }) {
  const login = useLogin();
  const { overview } = useOverview();
  const wire = useSyncExternalStore(socketState.subscribe, socketState.get);
  const [open, setOpen] = useState(false);
  const place = useLocation();
  useEffect(() => setOpen(false), [place.pathname]);
  const alerts = overview?.fleet.open_alerts ?? 0;
  return (
    <aside className="nav" aria-label="Airmail" data-open={open}>
      <div className="airmail-stripe" />
      <Link className="brand" to="/">
        <Mark />
        Airmail
      </Link>
      <button type="button" className="tool menu-button" aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon name="menu" />
        Menu
      </button>
      <div className="fold">
        <button type="button" className="tool find" onClick={find}>
          <Icon name="search" size={15} />
          Go to
          <kbd>Ctrl K</kbd>
        </button>
        <nav aria-label="Pages">
          {entries.map(({ part, of }) => (
            <div key={part}>
              <div className="part">{part}</div>
              <ul>
                {of
                  .filter((e) => !e.needs || atLeast(login?.role, e.needs))
                  .map((e) => (
                    <li key={e.to}>
                      <NavLink to={e.to} end={e.to === '/'}>
                        <Icon name={e.icon} />
                        {e.word}
                        {e.to === '/alerts' && alerts > 0 && (
                          <span className="pill">
                            {alerts}
                            <span className="hidden-text"> open</span>
                          </span>
                        )}
                      </NavLink>
                    </li>
                  ))}
              </ul>
            </div>
          ))}
        </nav>
        <div className="foot">
          <span className="wire" data-state={wire} role="status">
            <span className="dot" />
            {wireWords[wire]}
          </span>
          <div className="line ends">
            <div>
              <div className="who">{login?.user}</div>
              <div className="role">{login?.role.toLowerCase()}</div>
            </div>
            <div className="tools">
              <SchemeButton />
              <button type="button" className="tool" aria-label="Log out" title="Log out" onClick={() => void logout()}>
                <Icon name="leave" size={16} />
              </button>
            </div>
          </div>
        </div>
      </div>
    </aside>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const word = dark ? 'Light colours' : 'Dark colours';
  return (
    <button type="button" className="tool" aria-label={word} title={word} onClick={() => setColorScheme(dark ? 'light' : 'dark')}>
      <Icon name={dark ? 'sun' : 'moon'} size={16} />
    </button>
  );
}
