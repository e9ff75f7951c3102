import { beforeEach, expect, it } from 'vitest';
import { history, snapshot } from '../demo/kernel';
import { LiveStore } from '../src/core/live';
import { render } from '../src/core/panel';

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
  expect(host.querySelector('.tfm-spark')!.getAttribute('aria-label')).toContain('In the last ten minutes');
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
