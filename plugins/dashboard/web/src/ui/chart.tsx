// A line chart on canvas (uPlot), redrawn when its columns grow and when the colours of the page change.

import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';

export interface Line {
  label: string;
  /** Name of a colour in tokens.css. */
  color: string;
  /** Lines also differ in their dashes. */
  dash?: number[];
}

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The legend tells the newest sample, unless somebody points at another. */
function newest(plot: UPlot, columns: number[][]) {
  const last = columns[0]!.length - 1;
  if (last >= 0 && (plot.cursor.idx === null || plot.cursor.idx === undefined)) plot.setLegend({ idx: last });
}

/** At least a minute wide, so that the first samples do not fill the whole width (of one alone uPlot would make a day). */
function width(times: ArrayLike<number>): [number, number] {
  const last = times[times.length - 1] ?? Date.now() / 1000;
  return [Math.min(times[0] ?? last, last - 60), last];
}

/** `columns[0]` are unix seconds; `version` changes whenever the columns have. */
export function Chart({ columns, version, lines, format, label, height = 200 }: { columns: number[][]; version: number; lines: Line[]; format: (n: number) => string; label: string; height?: number }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const scheme = useComputedColorScheme('light');

  useEffect(() => {
    const el = host.current;
    if (!el) return;
    const axis = { stroke: css('--quiet'), grid: { stroke: css('--line'), width: 1 }, ticks: { stroke: css('--line') }, font: '12px system-ui, sans-serif' };
    plot.current = new UPlot(
      {
        width: el.clientWidth,
        height,
        legend: { live: true },
        cursor: { drag: { x: false, y: false } },
        scales: { x: { range: (u) => width(u.data[0]) }, y: { range: (_u, _min, max) => [0, Math.max(1, max * 1.15)] } },
        axes: [{ ...axis, space: 90, values: (_u, ticks) => ticks.map((t) => new Date(t * 1000).toLocaleTimeString()) }, { ...axis, size: 68, values: (_u, ticks) => ticks.map((t) => format(t)) }],
        series: [
          { value: (_u, t) => (t ? new Date(t * 1000).toLocaleTimeString() : '--') },
          ...lines.map((l) => ({ label: l.label, stroke: css(l.color), width: 2, dash: l.dash, points: { show: false }, value: (_u: UPlot, v: number | null) => (v === null || v === undefined ? '--' : format(v)) })),
        ],
      },
      columns as unknown as UPlot.AlignedData,
      el,
    );
    newest(plot.current, columns);
    const resize = new ResizeObserver(() => plot.current?.setSize({ width: el.clientWidth, height }));
    resize.observe(el);
    return () => {
      resize.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
    // The lines of a chart do not change while it is shown; the data comes through setData below.
  }, [scheme, height]);

  useEffect(() => {
    const it = plot.current;
    if (!it) return;
    it.setData(columns as unknown as UPlot.AlignedData);
    newest(it, columns);
  }, [version, columns]);

  return (
    <div className="chart" data-early={columns[0]!.length < 2}>
      <p className="quiet small early">Collecting the first seconds</p>
      <div ref={host} role="img" aria-label={label} />
    </div>
  );
}
