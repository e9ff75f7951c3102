import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DemoModel, history, log, snapshot } from '../demo/kernel';
import widget from '../src/widget/index';

let model: DemoModel;
let el: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  model = new DemoModel({ snapshot, history, log });
  el = document.createElement('div');
  document.body.replaceChildren(el);
});

afterEach(() => {
  vi.useRealTimers();
});

const status = (): string => el.querySelector('.tfm-status')!.textContent;

it('draws the traits, and what they become', () => {
  widget.render({ model, el });
  expect(el.textContent).toContain('2.19 GB');
  const rss_bytes = 3_330_000_000;
  model.set('snapshot', { ...snapshot, seq: snapshot.seq + 1, process: { ...snapshot.process, rss_bytes } });
  expect(el.textContent).toContain('3.33 GB');
});

it('is gone when ipywidgets says that the kernel’s end is, and back with a snapshot', () => {
  for (const event of ['comm_live_update', 'comm:close', 'destroy']) {
    const dispose = widget.render({ model, el });
    model.trigger(event);
    expect(status()).toBe('ended');
    model.set('snapshot', { ...snapshot, seq: snapshot.seq + 1 });
    expect(status()).toBe('live');
    model.set('snapshot', snapshot);
    dispose();
  }
});

it('leaves nothing behind when its view is taken away, in either way that anywidget has', () => {
  const ending = new AbortController();
  const dispose = widget.render({ model, el, signal: ending.signal });
  ending.abort();
  dispose();
  expect(el.childElementCount).toBe(0);
  expect(model.sent.at(-1)).toMatchObject({ request: 'watch', looking: false });
  const { length } = model.sent;
  vi.advanceTimersByTime(60_000);
  model.set('snapshot', { ...snapshot, seq: snapshot.seq + 1 });
  expect(model.sent).toHaveLength(length);
});

it('shows two views of a model, each with its own tab', () => {
  const other = document.createElement('div');
  widget.render({ model, el });
  widget.render({ model, el: other });
  el.querySelectorAll<HTMLElement>('[role=tab]')[1]!.click();
  const chosen = (host: HTMLElement): string => host.querySelector('[aria-selected=true]')!.textContent;
  expect([chosen(el), chosen(other)]).toEqual(['Models', 'Overview']);
});
