import { expect, it } from 'vitest';
import history from '../demo/history.json';
import { LiveStore } from '../src/core/live';
import { render } from '../src/core/panel';
import { snapshotOf } from './made';

/** The same numbers in every run: a failure can be looked at again. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const ODD: unknown[] = [
  null,
  undefined,
  NaN,
  Infinity,
  -1,
  1e300,
  '',
  '<b>',
  [],
  {},
  true,
  [null],
  { schema: 1 },
  'x'.repeat(5000)
];

/** A message with one thing in it changed, taken away, or put where it does not belong. */
function spoilt(value: unknown, roll: () => number): unknown {
  if (typeof value !== 'object' || value === null || roll() < 0.15)
    return ODD[Math.floor(roll() * ODD.length)];
  const keys = Object.keys(value);
  const key = keys[Math.floor(roll() * keys.length)];
  if (key === undefined) return ODD[Math.floor(roll() * ODD.length)];
  const held = value as Record<string, unknown>;
  const copy: Record<string, unknown> = Array.isArray(value) ? (value.slice() as never) : { ...held };
  copy[key] = spoilt(held[key], roll);
  return copy;
}

it('10,000 malformed messages break nothing and run nothing', () => {
  const roll = dice(7);
  const sent: Record<string, unknown>[] = [];
  const store = new LiveStore(message => sent.push(message));
  const host = document.createElement('div');
  document.body.replaceChildren(host);
  store.takeSnapshot(snapshotOf({ seq: 1 }));
  const dispose = render(host, store);
  const tabs = [...host.querySelectorAll<HTMLElement>('[role=tab]')];
  const good = snapshotOf();
  const some = { ...history, points: history.points.slice(-20) };
  for (let turn = 0; turn < 10_000; turn += 1) {
    if (turn % 50 === 0) tabs[(turn / 50) % tabs.length]!.click();
    const kind = turn % 3;
    if (kind === 0) store.takeSnapshot(spoilt({ ...good, seq: turn + 2 }, roll));
    else if (kind === 1) store.takeHistory(spoilt(some, roll));
    else
      store.takeMessage(spoilt({ schema: 1, id: sent.at(-1)?.id, ok: true, result: some, said: 'x' }, roll));
  }
  expect(host.querySelectorAll('b, img, script')).toHaveLength(0);
  store.takeSnapshot(snapshotOf({ seq: 1e301 }));
  expect(store.problem).toBeNull();
  dispose();
}, 60_000);
