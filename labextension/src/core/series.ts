import { indexAt, stacked, type Stack } from './stack';
import { t } from './text';
import type { History, HistoryEvent, Snapshot } from './snapshot';

/** One line of the chart: a size over time. */
export interface Line {
  id: string;
  label: string;
  /** Which pen draws it: `process`, `models`, `device` or `limit`. */
  pen: 'process' | 'models' | 'device' | 'limit';
  times: number[];
  values: number[];
}

export interface Plot {
  from: number;
  to: number;
  lines: Line[];
  stack: Stack;
  events: HistoryEvent[];
}

/** What the chart shows of the last `window_s` seconds; null while there is nothing to show. */
export function plot(history: History, snapshot: Snapshot | null, window_s: number): Plot | null {
  const { points } = history;
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return null;
  const to = last.time_s;
  const from = Math.max(first.time_s, to - window_s);
  const inside = points.filter(point => point.time_s >= from);
  const times = inside.map(point => point.time_s);
  const names = [...new Set(inside.flatMap(point => Object.keys(point.devices)))];
  const lines: Line[] = [
    {
      id: 'process',
      label: t('Process'),
      pen: 'process',
      times,
      values: inside.map(point => point.rss_bytes)
    },
    {
      id: 'models',
      label: t('Held by all models'),
      pen: 'models',
      times,
      values: inside.map(point => point.models_bytes)
    }
  ];
  for (const name of names) {
    const known = inside.filter(point => Object.hasOwn(point.devices, name));
    lines.push({
      id: `device ${name}`,
      label: name,
      pen: 'device',
      times: known.map(point => point.time_s),
      values: known.map(point => point.devices[name] ?? 0)
    });
  }
  for (const { id, label, bytes } of limits(snapshot)) {
    lines.push({ id, label, pen: 'limit', times: [from, to], values: [bytes, bytes] });
  }
  const events = history.events.filter(event => event.time_s >= from && event.time_s <= to);
  return { from, to, lines, stack: stacked(history, from, to), events };
}

function limits(snapshot: Snapshot | null): { id: string; label: string; bytes: number }[] {
  const limit = snapshot?.process.limit_bytes ?? null;
  const budget = snapshot?.budget.limits[''] ?? null;
  return [
    ...(limit === null ? [] : [{ id: 'limit', label: t('Container limit'), bytes: limit }]),
    ...(budget === null ? [] : [{ id: 'budget', label: t('Budget of models'), bytes: budget }])
  ];
}

/** A line's value at a time; null before its first. */
export function valueAt(
  { times, values }: { times: number[]; values: number[] },
  time: number
): number | null {
  const first = times[0];
  if (first === undefined || time < first) return null;
  return values[indexAt(times, time)] ?? null;
}
