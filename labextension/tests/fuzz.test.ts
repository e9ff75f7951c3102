import { expect, it } from 'vitest';
import history from '../demo/history.json';
import { LiveStore } from '../src/core/live';
import { render } from '../src/core/panel';
import { snapshotOf } from './made';
import { dice, spoilt } from './spoil';

it('10,000 malformed messages break nothing and run nothing', () => {
  const roll = dice(7);
  const sent: Record<string, unknown>[] = [];
  const store = new LiveStore(message => sent.push(message));
  const host = document.createElement('div');
  document.body.replaceChildren(host);
  store.takeSnapshot(snapshotOf({ seq: 1 }));
  const { dispose } = render(host, store);
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
