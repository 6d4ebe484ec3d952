// The overview lives as long as the login: pages come and go, the series of the last minutes stay. It is pushed once a
// second; without a socket the query's answer stands, and the frame says so.

import { createContext, useContext, useMemo, useRef, useState } from 'react';
import { useQuery, useSubscription } from 'urql';
import { type OverviewData, OverviewLive, OverviewQuery } from '../api/documents';
import type { Overview } from '../api/schema';
import { Series } from '../logic/series';

/** Samples that are kept: ten minutes at one a second. */
const kept = 600;

export interface Live {
  overview: Overview | null;
  /** time, messages in, messages out, connections, bytes in, bytes out. */
  series: Series;
  version: number;
}

const Context = createContext<Live>({ overview: null, series: new Series(5, 1), version: 0 });
export const useOverview = () => useContext(Context);

export function OverviewProvider({ children }: { children: React.ReactNode }) {
  const series = useRef(new Series(5, kept)).current;
  const [version, setVersion] = useState(0);
  const [{ data: first }] = useQuery({ query: OverviewQuery });
  const [{ data: live }] = useSubscription({ query: OverviewLive }, (_: OverviewData | undefined, next: OverviewData): OverviewData => {
    const { at, broker: b } = next.overview;
    series.push(Math.floor(Date.parse(at) / 1000), b.messages_in_per_s, b.messages_out_per_s, b.connections, b.bytes_in_per_s, b.bytes_out_per_s);
    setVersion((v) => v + 1);
    return next;
  });
  const overview = live?.overview ?? first?.overview ?? null;
  const value = useMemo(() => ({ overview, series, version }), [overview, series, version]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
