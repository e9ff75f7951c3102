import type { History, Snapshot } from './snapshot';

const MOST_POINTS = 5000;

/** The history with a snapshot's figures at its end, until the kernel's own is asked for again. */
export function extended(history: History, snapshot: Snapshot): History {
  const last = history.points.at(-1);
  if (last !== undefined && snapshot.time_s <= last.time_s) return history;
  const point = {
    time_s: snapshot.time_s,
    rss_bytes: snapshot.process.rss_bytes,
    models_bytes: snapshot.models.reduce((sum, model) => sum + model.held_bytes, 0),
    devices: Object.fromEntries(
      snapshot.devices.flatMap(({ name, used_bytes }) => (used_bytes === null ? [] : [[name, used_bytes]]))
    )
  };
  return { ...history, points: [...history.points, point].slice(-MOST_POINTS) };
}
