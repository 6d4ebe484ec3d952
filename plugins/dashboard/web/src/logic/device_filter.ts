// The device list's filter: what stands in the address is what the broker is asked. One text field holds either the beginning
// of a serial number or an RSQL expression; menus add their own members.

import type { DeviceFilter } from '../api/documents';

const statuses = ['ONLINE', 'OFFLINE', 'UPDATING'];
const registrations = ['ACCEPTED', 'QUARANTINED', 'BLOCKED', 'IMPORTED'];

/** RSQL has a comparison in it; a serial number (A-Z a-z 0-9 . _ : -) never does. */
export const isRsql = (text: string) => /==|!=|=[a-z]+=|[<>]/.test(text);

/** Only whole expressions are sent while someone types: an operator at the end still waits for its value. */
export const isWhole = (text: string) => !isRsql(text) || /(==|!=|=[a-z]+=|[<>]=?)\s*\S[^;,]*$/.test(text.trim());

export function fromAddress(params: URLSearchParams): { text: string; filter: DeviceFilter } {
  const text = params.get('q') ?? '';
  const filter: DeviceFilter = {};
  if (text.trim() && isWhole(text)) filter[isRsql(text) ? 'filter' : 'search'] = text.trim();
  for (const key of ['model', 'version', 'tag'] as const) {
    const value = params.get(key);
    if (value) filter[key] = value;
  }
  const status = params.get('status')?.toUpperCase() ?? '';
  if (statuses.includes(status)) filter.status = status as DeviceFilter['status'];
  const registration = params.get('registration')?.toUpperCase() ?? '';
  if (registrations.includes(registration)) filter.registration = registration as DeviceFilter['registration'];
  return { text, filter };
}

/** `params` with one member changed; empty values leave the address. */
export function withParam(params: URLSearchParams, key: string, value: string | null): URLSearchParams {
  const next = new URLSearchParams(params);
  if (value) next.set(key, value);
  else next.delete(key);
  next.sort();
  return next;
}

export interface SavedFilter {
  name: string;
  /** The address's query, as `withParam` writes it. */
  query: string;
}

const place = 'airmail.filters';
const most = 50;

/** The filters that this browser keeps for a user; what cannot be read is as good as none. */
export function loadFilters(store: Pick<Storage, 'getItem'>, user: string): SavedFilter[] {
  try {
    const all: unknown = JSON.parse(store.getItem(`${place}.${user}`) ?? '[]');
    return Array.isArray(all) ? all.filter((f): f is SavedFilter => typeof f?.name === 'string' && typeof f?.query === 'string').slice(0, most) : [];
  } catch {
    return [];
  }
}

/** Saves under a name, newest first; the same name again replaces. */
export function saveFilter(store: Pick<Storage, 'getItem' | 'setItem'>, user: string, filter: SavedFilter): SavedFilter[] {
  const next = [filter, ...loadFilters(store, user).filter((f) => f.name !== filter.name)].slice(0, most);
  store.setItem(`${place}.${user}`, JSON.stringify(next));
  return next;
}

export function forgetFilter(store: Pick<Storage, 'getItem' | 'setItem'>, user: string, name: string): SavedFilter[] {
  const next = loadFilters(store, user).filter((f) => f.name !== name);
  store.setItem(`${place}.${user}`, JSON.stringify(next));
  return next;
}
