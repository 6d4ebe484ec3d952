import { useEffect } from 'react';
import { Mark } from '../ui/icon';
import { walking } from '../ui/page';

/** The envelope in which everybody stands who is not logged in. */
export function Door({ title, children }: { title: string; children: React.ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Airmail`;
  }, [title]);
  useEffect(walking, []);
  return (
    <main className="door">
      <div className="envelope airmail-stripe">
        <div className="paper">
          <div className="brand">
            <Mark />
            <div>
              <h1>Airmail</h1>
              <p className="quiet">The broker that delivers firmware</p>
            </div>
          </div>
          <h2>{title}</h2>
          {children}
        </div>
      </div>
    </main>
  );
}
