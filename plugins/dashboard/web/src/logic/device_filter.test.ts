import { beforeEach, describe, expect, it } from 'vitest';
import { forgetFilter, fromAddress, isRsql, isWhole, loadFilters, saveFilter, withParam } from './device_filter';

const of = (query: string) => fromAddress(new URLSearchParams(query)).filter;

describe('the address is the filter', () => {
  it('plain text is the beginning of a serial number', () => expect(of('q=tx-00')).toEqual({ search: 'tx-00' }));
  it('an expression is RSQL', () => expect(of(`q=${encodeURIComponent('model==TX-100;current_firmware=lt=v1.1.0')}`)).toEqual({ filter: 'model==TX-100;current_firmware=lt=v1.1.0' }));
  it('an expression that is not finished is not sent', () => expect(of(`q=${encodeURIComponent('model==')}`)).toEqual({}));
  it('menus add their members, and unknown states are ignored', () => {
    expect(of('model=TX-100&status=online&version=v1&tag=lab&registration=blocked')).toEqual({ model: 'TX-100', status: 'ONLINE', version: 'v1', tag: 'lab', registration: 'BLOCKED' });
    expect(of('status=asleep')).toEqual({});
  });
  it('is the same text whatever was chosen first', () => {
    const a = withParam(withParam(new URLSearchParams(), 'model', 'A'), 'q', 'b').toString();
    const b = withParam(withParam(new URLSearchParams(), 'q', 'b'), 'model', 'A').toString();
    expect(a).toBe(b);
    expect(withParam(new URLSearchParams(a), 'q', '').toString()).toBe('model=A');
  });
});

it.each([['tx-0001', false], ['a:b.c_d', false], ['model==x', true], ['v=lt=1', true], ['last_seen>1', true]])('%s is an expression: %s', (text, is) => expect(isRsql(text)).toBe(is));
it.each([['model==x;tags==', false], ['model==x', true], ['model=in=', false], ['tx', true]])('%s is whole: %s', (text, is) => expect(isWhole(text)).toBe(is));

describe('saved filters', () => {
  let kept: Record<string, string>;
  const store = { getItem: (k: string) => kept[k] ?? null, setItem: (k: string, v: string) => void (kept[k] = v) };
  beforeEach(() => (kept = {}));
  it('are kept for each user, newest first, one for each name', () => {
    saveFilter(store, 'ada', { name: 'lab', query: 'tag=lab' });
    saveFilter(store, 'ada', { name: 'old', query: 'version=v1' });
    saveFilter(store, 'ada', { name: 'lab', query: 'tag=lab2' });
    expect(loadFilters(store, 'ada')).toEqual([{ name: 'lab', query: 'tag=lab2' }, { name: 'old', query: 'version=v1' }]);
    expect(loadFilters(store, 'bob')).toEqual([]);
    expect(forgetFilter(store, 'ada', 'lab')).toEqual([{ name: 'old', query: 'version=v1' }]);
  });
  it('that cannot be read are as good as none', () => {
    kept['airmail.filters.ada'] = '{broken';
    expect(loadFilters(store, 'ada')).toEqual([]);
    kept['airmail.filters.ada'] = '[{"name":1},{"name":"a","query":"b"}]';
    expect(loadFilters(store, 'ada')).toEqual([{ name: 'a', query: 'b' }]);
  });
});
