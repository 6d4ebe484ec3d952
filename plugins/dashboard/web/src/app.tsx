// Which page stands at which address. Pages that the first look does not need come when they are asked for.

import { lazy, Suspense, useEffect, useState } from 'react';
import { createBrowserRouter, Navigate, Outlet, RouterProvider, useLocation } from 'react-router-dom';
import { refresh, setupIsOpen } from './api/auth';
import { Door } from './pages/door';
import { OverviewPage } from './pages/overview';
import { Frame } from './shell/frame';
import { useLogin, useMay } from './shell/who';
import { Bones } from './ui/states';
import { Lost } from './pages/lost';

const Login = lazy(() => import('./pages/login'));
const Devices = lazy(() => import('./pages/devices'));
const Device = lazy(() => import('./pages/device'));
const Firmware = lazy(() => import('./pages/firmware'));
const Campaigns = lazy(() => import('./pages/campaigns'));
const NewCampaign = lazy(() => import('./pages/new_campaign'));
const Campaign = lazy(() => import('./pages/campaign'));
const Broker = lazy(() => import('./pages/broker'));
const Alerts = lazy(() => import('./pages/alerts'));
const Audit = lazy(() => import('./pages/audit'));
const Users = lazy(() => import('./pages/users'));
const Settings = lazy(() => import('./pages/settings'));
const Setup = lazy(() => import('./pages/setup'));

const router = createBrowserRouter([
  { path: '/login', element: <Guests><Suspense><Login /></Suspense></Guests> },
  { path: '/setup', element: <Suspense><Setup /></Suspense> },
  {
    element: <Members />,
    errorElement: <Lost what="broken" />,
    children: [
      { path: '/', element: <OverviewPage /> },
      { path: '/devices', element: <Devices /> },
      { path: '/devices/:id', element: <Device /> },
      { path: '/firmware', element: <Firmware /> },
      { path: '/campaigns', element: <Campaigns /> },
      { path: '/campaigns/new', element: <NewCampaign /> },
      { path: '/campaigns/:id', element: <Campaign /> },
      { path: '/broker', element: <Broker /> },
      { path: '/alerts', element: <Alerts /> },
      { path: '/settings', element: <Settings /> },
      {
        element: <Admins />,
        children: [
          { path: '/audit', element: <Audit /> },
          { path: '/users', element: <Users /> },
        ],
      },
      { path: '*', element: <Lost what="nothing" /> },
    ],
  },
]);

/** Asks once whether the browser still has a session, then shows the house. */
export function App() {
  const [asked, setAsked] = useState(false);
  const [down, setDown] = useState(false);
  useEffect(() => {
    refresh()
      .then(async (login) => {
        const at = location.pathname;
        if (!login && at !== '/setup' && (await setupIsOpen())) void router.navigate('/setup', { replace: true });
        setAsked(true);
      })
      .catch(() => setDown(true));
  }, []);
  if (down) return <Door title="The broker does not answer">Is airmaild running, and is this its address? Reload the page to try again.</Door>;
  if (!asked) return <div className="page"><Bones lines={5} /></div>;
  return <RouterProvider router={router} future={{ v7_startTransition: true }} />;
}

function Members() {
  const login = useLogin();
  const place = useLocation();
  if (!login) return <Navigate to="/login" replace state={{ from: place.pathname + place.search }} />;
  return <Frame />;
}

function Guests({ children }: { children: React.ReactNode }) {
  const login = useLogin();
  const from = (useLocation().state as { from?: string } | null)?.from;
  return login ? <Navigate to={from ?? '/'} replace /> : children;
}

function Admins() {
  return useMay('ADMIN') ? <Outlet /> : <Lost what="forbidden" />;
}
