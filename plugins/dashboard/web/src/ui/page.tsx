import { useEffect, useRef } from 'react';

let justLoaded = true;

/** From now on a page that comes takes the focus: somebody has gone to it. */
export const walking = () => void (justLoaded = false);

/** A page: its title in the window and as the heading that takes the focus, so that screen readers hear where they are. */
export function Page({ title, lead, aside, children, badge }: { title: string; lead?: React.ReactNode; aside?: React.ReactNode; badge?: React.ReactNode; children: React.ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Airmail`;
  }, [title]);
  useEffect(() => {
    // What the browser has just loaded it reads itself, and Tab begins at the way past the navigation.
    if (justLoaded) return walking();
    // A field of the page that asked for the focus keeps it.
    const page = heading.current?.closest('.page');
    if (!page?.contains(document.activeElement)) heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className="page">
      <div className="page-head">
        <div className="grow">
          <div className="line">
            <h1 ref={heading} tabIndex={-1}>
              {title}
            </h1>
            {badge}
          </div>
          {lead && <p className="lead">{lead}</p>}
        </div>
        {aside && <div className="line">{aside}</div>}
      </div>
      {children}
    </div>
  );
}
