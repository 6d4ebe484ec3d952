import { useId } from 'react';
import { Link } from 'react-router-dom';
import type { Tone } from '../logic/status';
import { Icon, type IconName } from './icon';

/** A part of a page with its heading; `flush` for tables that reach the border. */
export function Card({ title, aside, children, flush, className }: { title: string; aside?: React.ReactNode; children: React.ReactNode; flush?: boolean; className?: string }) {
  const id = useId();
  return (
    <section className={className ? `card ${className}` : 'card'} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      <div className={flush ? 'flush' : 'body'}>{children}</div>
    </section>
  );
}

/** One number that matters, leading to where it comes from. */
export function Figure({ what, value, unit, note, to, tone, icon }: { what: string; value: React.ReactNode; unit?: string; note?: React.ReactNode; to?: string; tone?: Tone; icon?: IconName }) {
  const inside = (
    <>
      <span className="what">
        {icon && <Icon name={icon} size={15} />}
        {what}
      </span>
      <span className="value">
        {value}
        {unit && <small> {unit}</small>}
      </span>
      {note && <span className="note">{note}</span>}
    </>
  );
  return to ? (
    <Link className="card figure" data-tone={tone} to={to}>
      {inside}
    </Link>
  ) : (
    <div className="card figure" data-tone={tone}>
      {inside}
    </div>
  );
}
