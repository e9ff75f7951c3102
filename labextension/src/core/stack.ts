import type { History } from './snapshot';

const MOST_LAYERS = 5;

/** The bytes of one model, or of all the smaller ones together, from each time on. */
export interface Layer {
  /** null: all the others. */
  model: string | null;
  /** One value for each of the stack's times. */
  values: number[];
}

export interface Stack {
  times: number[];
  layers: Layer[];
}

/** Each model's bytes between two times, the largest few apart and the rest as one. */
export function stacked({ changes }: History, from: number, to: number): Stack {
  const ordered = [...changes].sort((a, b) => a.time_s - b.time_s).filter(({ time_s }) => time_s <= to);
  const highest = new Map<string, number>();
  const before = new Map<string, number>();
  for (const { time_s, model, bytes } of ordered) {
    if (time_s <= from) before.set(model, bytes);
    else highest.set(model, Math.max(highest.get(model) ?? 0, bytes));
  }
  for (const [model, bytes] of before) highest.set(model, Math.max(highest.get(model) ?? 0, bytes));
  const present = [...highest].filter(([, bytes]) => bytes > 0).sort((a, b) => b[1] - a[1]);
  const apart = present.slice(0, MOST_LAYERS).map(([model]) => model);
  const layers: Layer[] = apart.map(model => ({ model, values: [] }));
  if (present.length > apart.length) layers.push({ model: null, values: [] });
  const place = new Map(apart.map((model, index) => [model, index]));
  const now = layers.map(() => 0);
  const held = new Map<string, number>();
  const hold = (model: string, bytes: number): void => {
    const index = place.get(model) ?? apart.length;
    if (index < now.length) now[index] = (now[index] ?? 0) + bytes - (held.get(model) ?? 0);
    held.set(model, bytes);
  };
  const times: number[] = [];
  const note = (time: number): void => {
    if (times.at(-1) === time) for (const layer of layers) layer.values.pop();
    else times.push(time);
    layers.forEach((layer, index) => layer.values.push(now[index] ?? 0));
  };
  for (const [model, bytes] of before) hold(model, bytes);
  note(from);
  for (const { time_s, model, bytes } of ordered) {
    if (time_s <= from) continue;
    hold(model, bytes);
    note(time_s);
  }
  note(to);
  return { times, layers };
}

/** The index of the last of the ascending `times` that is not after `time`; 0 where none is. */
export function indexAt(times: readonly number[], time: number): number {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((times[middle] ?? Infinity) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}
