// Numbers and moments as people read them. Everything here is pure; times are shown in the viewer's zone.

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export const count = (n: number) => whole.format(n);

/** 950, 12.4k, 3.1M: three digits that fit a narrow column. */
export function short(n: number): string {
  if (Math.abs(n) < 1000) return Number.isInteger(n) ? String(n) : n.toFixed(n < 10 ? 1 : 0);
  for (const [size, unit] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (Math.abs(n) >= size * 0.9995) return `${(n / size).toFixed(n / size < 9.95 ? 1 : 0)}${unit}`;
  }
  return whole.format(n);
}

/** Binary units, as everywhere in Airmail's settings. */
export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = n;
  let unit = 'B';
  for (const next of units) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;
}

export const percent = (n: number) => `${n.toFixed(n === 0 || n >= 99.95 || Number.isInteger(n) ? 0 : 1)} %`;

/** The two largest units of a span: 3 d 4 h, 12 min 5 s. */
export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'min'], [s % 60, 's']];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, u]) => `${n} ${u}`).join(' ');
}

/** How long ago, or until when; `now` and the result's sign come from the caller. */
export function ago(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  if (Math.abs(seconds) < 5) return 'now';
  return seconds > 0 ? `${coarse(seconds)} ago` : `in ${coarse(-seconds)}`;
}

function coarse(seconds: number): string {
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** A moment in the viewer's zone, with the zone's name. */
export function moment(iso: string, zone?: string): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', timeZone: zone }).format(Date.parse(iso));
}
export const zoneName = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** sha256:0123… shortened in the middle of its digits. */
export const digest = (checksum: string) => checksum.replace(/^(sha256:)?(.{8}).*(.{4})$/, '$2…$3');
