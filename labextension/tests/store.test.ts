import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import history from '../demo/history.json';
import { LiveStore } from '../src/core/live';
import { optional, record, text } from '../src/core/shape';
import { snapshotOf } from './made';

let sent: Record<string, unknown>[];
let store: LiveStore;

beforeEach(() => {
  vi.useFakeTimers();
  sent = [];
  store = new LiveStore(message => sent.push(message));
});

afterEach(() => {
  vi.useRealTimers();
});

describe('snapshots', () => {
  it('replace older ones only', () => {
    store.takeSnapshot(snapshotOf({ seq: 5 }));
    store.takeSnapshot(snapshotOf({ seq: 4 }));
    store.takeSnapshot(snapshotOf({ seq: 5, models: [] }));
    expect(store.snapshot?.seq).toBe(5);
    expect(store.snapshot?.models).not.toEqual([]);
    store.takeSnapshot(snapshotOf({ seq: 6 }));
    expect(store.snapshot?.seq).toBe(6);
  });

  it('of a kernel that was started later are taken whatever their number, without the old one’s history', () => {
    store.takeSnapshot(snapshotOf({ seq: 500 }));
    store.takeHistory(history);
    const kernel = { pid: 2, started_s: 1_800_000_050, cell_since_s: null };
    store.takeSnapshot(snapshotOf({ seq: 1, time_s: 1_800_000_100, kernel }));
    expect(store.snapshot?.kernel.pid).toBe(2);
    expect(store.history).toBeNull();
  });

  it('of a newer kernel are taken with the fields that this page does not know', () => {
    const good = snapshotOf({ seq: 5 });
    const models = good.models.map(model => ({ ...model, colour: 'blue' }));
    store.takeSnapshot({ ...good, models, weather: { sunny: true } });
    expect(store.snapshot?.seq).toBe(5);
  });

  it('that lack a field are not taken, and one that older kernels do not send may be missing', () => {
    const named = record({ name: text, colour: optional(text) });
    expect([{ name: 'a' }, { name: 'a', colour: 'blue' }].every(named)).toBe(true);
    expect([{ colour: 'blue' }, { name: 'a', colour: 1 }].some(named)).toBe(false);
  });

  it('that cannot be read change nothing', () => {
    store.takeSnapshot(snapshotOf({ seq: 5 }));
    const good = snapshotOf({ seq: 6 });
    for (const bad of [
      null,
      undefined,
      [],
      'x',
      {},
      { ...good, models: null },
      { ...good, seq: NaN },
      { ...good, models: [{ ...good.models[0], name: 7 }] },
      { ...good, process: { ...good.process, rss_bytes: '1' } }
    ]) {
      store.takeSnapshot(bad);
    }
    expect([store.snapshot?.seq, store.problem]).toEqual([5, null]);
  });

  it('of another schema version say which half is older and what to type, until one that can be read comes', () => {
    const versions = { ...snapshotOf().versions, tfmagic: '9.8.7' };
    store.takeMessage({ kind: 'snapshot', names: ['a'], snapshot: { schema: 2, versions, models: [{}] } });
    expect(store.problem).toContain('1.2.3, which reads figures of version 1');
    expect(store.problem).toContain('9.8.7, which sends version 2');
    expect(store.problem).toContain('pip install -U "tfmagic[lab]" where JupyterLab runs');
    store.takeSnapshot({ schema: 0, versions });
    expect(store.problem).toContain('pip install -U "tfmagic[lab]" where the kernel runs');
    store.takeSnapshot({ schema: 7 });
    expect(store.problem).toContain('unknown');
    expect(sent).toEqual([]);
    store.takeSnapshot(snapshotOf());
    expect(store.problem).toBeNull();
  });

  it('lengthen the history until the kernel’s own comes', () => {
    store.takeSnapshot(snapshotOf({ seq: 1 }));
    store.takeHistory(history);
    const { length } = history.points;
    store.takeSnapshot(snapshotOf({ seq: 2, time_s: 1_800_000_009 }));
    expect(store.history?.points).toHaveLength(length + 1);
    store.takeSnapshot(snapshotOf({ seq: 3, time_s: 1_800_000_009 }));
    expect(store.history?.points).toHaveLength(length + 1);
    store.takeHistory({ schema: 1, points: 'none' });
    expect(store.history?.points).toHaveLength(length + 1);
  });
});

describe('the state', () => {
  it('is stale after three intervals without a snapshot, and live with the next', () => {
    expect(store.status).toBe('waiting');
    store.takeSnapshot(snapshotOf({ seq: 1 }));
    vi.advanceTimersByTime(2900);
    expect(store.status).toBe('live');
    vi.advanceTimersByTime(200);
    expect([store.status, store.ageMs()]).toEqual(['stale', 3100]);
    store.takeSnapshot(snapshotOf({ seq: 2 }));
    expect(store.status).toBe('live');
  });

  it('counts silence from when somebody looked: the sampler slept before', () => {
    store.takeSnapshot(snapshotOf({ seq: 1 }));
    vi.advanceTimersByTime(60_000);
    store.look({}, true);
    expect(store.status).toBe('live');
    vi.advanceTimersByTime(3100);
    expect(store.status).toBe('stale');
  });

  it('is gone when the channel ends, which fails what was asked, and live again with a snapshot', async () => {
    store.takeSnapshot(snapshotOf({ seq: 1 }));
    const asked = store.request('drop', { model: 'digits' });
    store.lose();
    expect(store.status).toBe('gone');
    await expect(asked).rejects.toThrow('has ended');
    store.takeSnapshot(snapshotOf({ seq: 2 }));
    expect(store.status).toBe('live');
  });

  it('is told to subscribers each second while there is no news, and to nobody afterwards', () => {
    const told = vi.fn();
    const stop = store.subscribe(told);
    store.takeSnapshot(snapshotOf({ seq: 1 }));
    expect(told).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(6000);
    const before = told.mock.calls.length;
    expect(before).toBeGreaterThan(2);
    stop();
    vi.advanceTimersByTime(6000);
    expect(told).toHaveBeenCalledTimes(before);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('requests', () => {
  const last = (): Record<string, unknown> => sent.at(-1)!;

  it('get the answer with their own id, once', async () => {
    const first = store.request('park', { model: 'a' });
    const second = store.request('park', { model: 'b' });
    expect(sent.map(({ request, model }) => [request, model])).toEqual([
      ['park', 'a'],
      ['park', 'b']
    ]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(2);
    store.takeMessage({ schema: 1, id: sent[1]!.id, ok: true, result: null, said: 'b parked' });
    store.takeMessage({ schema: 1, id: sent[1]!.id, ok: false, error: 'twice' });
    store.takeMessage({ schema: 1, id: sent[0]!.id, ok: false, error: 'a is running' });
    await expect(second).resolves.toEqual({ result: null, said: 'b parked' });
    await expect(first).rejects.toThrow('a is running');
  });

  it('have ids that another page on the same channel does not use', () => {
    const other: Record<string, unknown>[] = [];
    void new LiveStore(message => other.push(message)).request('log').catch(() => undefined);
    void store.request('log').catch(() => undefined);
    expect(other[0]!.id).not.toBe(last().id);
  });

  it('wait as long for a placement as for a trace: the kernel may have to make one', async () => {
    const asked = store.request('placement', { model: 'digits' });
    const failed = expect(asked).rejects.toThrow('no answer from the kernel in 5 minutes');
    await vi.advanceTimersByTimeAsync(299_000);
    expect(vi.getTimerCount()).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    await failed;
  });

  it('fail when no answer comes in time, and a late one changes nothing', async () => {
    const asked = store.request('log');
    const failed = expect(asked).rejects.toThrow('no answer from the kernel in 15 seconds');
    vi.advanceTimersByTime(15_100);
    await failed;
    store.takeMessage({ schema: 1, id: last().id, ok: true, result: [] });
  });

  it('fail when the answer cannot be read, or the message cannot be sent', async () => {
    const asked = store.request('placement', { model: 'a' });
    store.takeMessage({ schema: 1, id: last().id, ok: true, result: { schema: 1 } });
    await expect(asked).rejects.toThrow('cannot be read');
    const broken = new LiveStore(() => {
      throw new Error('closed');
    });
    await expect(broken.request('log')).rejects.toThrow('cannot be reached');
  });

  it('of history are also drawn', async () => {
    const asked = store.request('history');
    store.takeMessage({ schema: 1, id: last().id, ok: true, result: history });
    await asked;
    expect(store.history?.points).toHaveLength(history.points.length);
  });
});

describe('looking', () => {
  const told = (): unknown[] =>
    sent.filter(({ request }) => request === 'watch').map(({ looking }) => looking);

  it('is told when the first looks, every ten seconds, and when the last has left', () => {
    const [one, two] = [{}, {}];
    store.look(one, true);
    store.look(two, true);
    store.look(two, true);
    expect(told()).toEqual([true]);
    vi.advanceTimersByTime(20_000);
    expect(told()).toEqual([true, true, true]);
    store.look(one, false);
    expect(told()).toHaveLength(3);
    store.look(two, false);
    store.look(two, false);
    expect(told()).toEqual([true, true, true, false]);
    vi.advanceTimersByTime(60_000);
    expect(told()).toHaveLength(4);
  });
});

describe('a wish how often to look', () => {
  const wishes = (): unknown[] => sent.map(({ looking, interval_s }) => [looking, interval_s]);

  it('is told with the word that somebody looks, at once and again', () => {
    store.wish(5);
    expect(sent).toEqual([]);
    const viewer = {};
    store.look(viewer, true);
    store.wish(0.5);
    store.wish(0.5);
    vi.advanceTimersByTime(10_000);
    store.wish(null);
    store.look(viewer, false);
    expect(wishes()).toEqual([
      [true, 5],
      [true, 0.5],
      [true, 0.5],
      [true, undefined],
      [false, undefined]
    ]);
  });
});
