// What stays around every page after login: navigation, keys, alerts as they come, and the socket of this login.

import { Suspense, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { Outlet } from 'react-router-dom';
import { Provider, useSubscription } from 'urql';
import { makeClient, socketState } from '../api/client';
import { AlertRaised } from '../api/documents';
import type { Wish } from '../logic/keys';
import { Icon } from '../ui/icon';
import { Bones } from '../ui/states';
import { say, Toasts } from '../ui/toast';
import { Help, useKeyboard } from './keyboard';
import { Nav } from './nav';
import { OverviewProvider } from './overview';
import { Palette } from './palette';
import { useLogin } from './who';

/** One client for each login: another person never sees the cache of the one before. */
export function Frame() {
  const user = useLogin()?.user;
  const made = useMemo(makeClient, [user]);
  useEffect(() => made.close, [made]);
  return (
    <Provider value={made.client}>
      <OverviewProvider>
        <Inside />
      </OverviewProvider>
    </Provider>
  );
}

function Inside() {
  const [open, setOpen] = useState<Wish>(null);
  const close = useCallback(() => setOpen(null), []);
  useKeyboard(useCallback((w: Wish) => setOpen(w), []));
  useAlertToasts();
  return (
    <div className="frame">
      <a className="skip" href="#main">
        To the content
      </a>
      <Nav find={() => setOpen('palette')} />
      <main id="main">
        <LostBanner />
        <Suspense fallback={<div className="page"><Bones lines={6} /></div>}>
          <Outlet />
        </Suspense>
      </main>
      <Palette opened={open === 'palette'} close={close} />
      <Help opened={open === 'help'} close={close} />
      <Toasts />
    </div>
  );
}

function LostBanner() {
  const wire = useSyncExternalStore(socketState.subscribe, socketState.get);
  if (wire !== 'lost') return null;
  return (
    <div className="banner" data-tone="warn" role="status">
      <Icon name="plug" size={16} />
      The broker does not answer. What you see may be old; the page connects again by itself.
    </div>
  );
}

/** New alerts are said once; alerts that were open when the page came are not. */
function useAlertToasts() {
  const since = useMemo(() => Date.now() - 2000, []);
  useSubscription({ query: AlertRaised }, (_: unknown, next) => {
    const a = next.alertRaised;
    if (!a.acknowledged_at && a.count <= 1 && Date.parse(a.at) > since) say(a.text, a.severity === 'CRITICAL' ? 'bad' : 'warn');
    return next;
  });
}
