import { beforeEach, expect, it, vi } from 'vitest';
import { history, snapshot } from '../demo/kernel';
import { LiveStore } from '../src/core/live';
import { render } from '../src/core/panel';
import { bytes } from '../src/core/units';

let host: HTMLElement;
let store: LiveStore;

beforeEach(() => {
  host = document.createElement('div');
  document.body.replaceChildren(host);
  store = new LiveStore(() => undefined);
  store.takeHistory(history);
  store.takeSnapshot(snapshot);
});

const names = (): (string | undefined)[] =>
  [...host.querySelectorAll<HTMLElement>('li[data-model]')].map(item => item.dataset.model);

it('shows every model with its buttons, and no tabs', () => {
  render(host, store, { compact: true });
  expect(names()).toEqual(snapshot.models.map(({ name }) => name));
  expect(host.querySelectorAll('li[data-model] button[aria-label^="Drop"]')).toHaveLength(names().length);
  expect(host.querySelector('[role=tab]')).toBeNull();
});

it('says what the line over time reaches from and to, to who points at it and to who hears it', () => {
  render(host, store, { compact: true });
  const points = history.points.filter(({ time_s }) => time_s >= history.points.at(-1)!.time_s - 600);
  const sizes = points.map(({ rss_bytes }) => rss_bytes);
  const line = host.querySelector('.tfm-spark')!;
  const said = line.getAttribute('aria-label')!;
  expect(said).toMatch(/^Memory of the process in the last \d+ (seconds|minutes?): /);
  expect(said).toContain(`lowest ${bytes(Math.min(...sizes))}, highest ${bytes(Math.max(...sizes))}`);
  expect(line.querySelector('title')!.textContent).toBe(said);
});

it('draws memory from zero on, and shows what the line reaches from and to', () => {
  const to = history.points.at(-1)!.time_s;
  const points = [872e6, 436e6, 872e6].map((rss_bytes, at) => ({
    ...history.points[0]!,
    rss_bytes,
    time_s: to + at
  }));
  store.takeHistory({ ...history, points });
  render(host, store, { compact: true });
  const heights = host
    .querySelector('.tfm-spark polyline')!
    .getAttribute('points')!
    .split(' ')
    .slice(0, 3)
    .map(corner => 34 - Number(corner.split(',')[1]));
  expect(heights).toEqual([32, 16, 32]);
  expect(host.querySelector('.tfm-spark-range')!.textContent).toMatch(/^436 MB to 872 MB in /);
});

it('says what a model holds as the whole panel does, also where that is more than its size', () => {
  const folded = { ...snapshot.models[0]!, name: 'v2', size_bytes: 10_900, held_bytes: 37_000 };
  store.takeSnapshot({ ...snapshot, seq: snapshot.seq + 1, models: [folded] });
  render(host, store, { compact: true });
  const whole = document.createElement('div');
  document.body.append(whole);
  render(whole, store);
  whole.querySelectorAll<HTMLElement>('[role=tab]')[1]!.click();
  expect(host.querySelector('.tfm-compact-figures')!.textContent).toMatch(/^37 kB held, /);
  const cell = whole.querySelector('td[data-label="Size"]')!;
  expect([...cell.querySelectorAll('.tfm-text')].map(({ textContent }) => textContent)).toEqual([
    '10.9 kB',
    '37 kB held'
  ]);
  store.takeSnapshot({ ...snapshot, seq: snapshot.seq + 2, models: [{ ...folded, held_bytes: 10_900 }] });
  expect(cell.textContent).toBe('10.9 kB');
});

it('shows on every button the magic that it stands for', () => {
  store.takeSnapshot({
    ...snapshot,
    seq: snapshot.seq + 1,
    models: [{ ...snapshot.models[0]!, name: 'one', state: 'ready', can_park: true }]
  });
  render(host, store, { compact: true });
  const titles = [...host.querySelectorAll<HTMLElement>('li[data-model] button')]
    .filter(button => button.textContent !== 'Keep')
    .map(button => [button.textContent, button.title]);
  expect(titles).toEqual([
    ['Park', '%tf_model park one'],
    ['Drop', '%tf_model drop one'],
    ['Trace', '%tf_runtime placement one --anew'],
    ['Drop it', '%tf_model drop one']
  ]);
});

it('leads from a trace to where the operations are, in the place that shows it', async () => {
  const sent: Record<string, unknown>[] = [];
  store = new LiveStore(message => sent.push(message));
  store.takeSnapshot({ ...snapshot, models: [{ ...snapshot.models[0]!, name: 'one' }] });
  const opened: string[] = [];
  render(host, store, { compact: true, openPlacement: model => opened.push(model) });
  host.querySelector<HTMLElement>('button[aria-label^="Trace"]')!.click();
  const asked = sent.find(({ request }) => request === 'trace')!;
  store.takeMessage({ schema: 1, id: asked.id, ok: true, result: null, said: 'one was run' });
  await vi.waitFor(() => expect(host.querySelector('.tfm-said')!.textContent).toContain('one was run'));
  host.querySelector<HTMLElement>('.tfm-said button')!.click();
  expect(opened).toEqual(['one']);
});

it('follows the models, and says how many more than fifty there are', () => {
  render(host, store, { compact: true });
  const [one] = snapshot.models;
  const models = Array.from({ length: 1000 }, (_, index) => ({ ...one!, name: `m${index}` }));
  store.takeSnapshot({ ...snapshot, seq: snapshot.seq + 1, models });
  expect(names()).toHaveLength(50);
  expect(host.textContent).toContain('950 more');
  store.takeSnapshot({ ...snapshot, seq: snapshot.seq + 2, models: [] });
  expect(names()).toEqual([]);
  expect(host.textContent).toContain('No model yet');
});

it('shows a name like markup as text', () => {
  const name = '<img src=x onerror=alert(1)>';
  store.takeSnapshot({ ...snapshot, seq: snapshot.seq + 1, models: [{ ...snapshot.models[0]!, name }] });
  render(host, store, { compact: true });
  expect(host.textContent).toContain(name);
  expect(host.querySelector('img')).toBeNull();
});
