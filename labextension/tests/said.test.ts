import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { render } from '../src/core/panel';
import { Said } from '../src/core/said';
import { shown } from './made';

const LINES = 'dropped: live (the process is no smaller for it)\nto let go, run:\n    del net';

let dismissed = 0;
let said: Said;

beforeEach(() => {
  vi.useFakeTimers();
  dismissed = 0;
  said = new Said(() => {
    dismissed += 1;
  });
  document.body.replaceChildren(said.element);
});

afterEach(() => {
  vi.useRealTimers();
});

const words = (): string => said.element.querySelector('[role=status]')!.textContent;
const close = (): HTMLButtonElement =>
  said.element.querySelector<HTMLButtonElement>('button[aria-label="Dismiss this message"]')!;

it('goes by itself after a minute where there is nothing to do', () => {
  expect(close().hidden).toBe(true);
  said.say('digits parked');
  expect(close().hidden).toBe(false);
  vi.advanceTimersByTime(61_000);
  expect(words()).toBe('');
  expect(close().hidden).toBe(true);
});

it('stays where it says what to do, with its lines, until it is dismissed', () => {
  said.say(LINES);
  vi.advanceTimersByTime(3_600_000);
  expect(words().split('\n').slice(1)).toEqual(['to let go, run:', '    del net']);
  said.say('second was traced', 'note', { label: 'Show where it ran', go: () => undefined });
  vi.advanceTimersByTime(3_600_000);
  expect(words()).toContain('second was traced');
  close().click();
  expect([words(), dismissed]).toEqual(['', 1]);
});

it('does not go while a person is at it', () => {
  said.say('digits parked');
  close().focus();
  vi.advanceTimersByTime(100_000);
  expect(words()).toContain('digits parked');
  close().blur();
  vi.advanceTimersByTime(61_000);
  expect(words()).toBe('');
});

it('has a place of its own where the host gives one, and the focus is in the panel when it is dismissed', async () => {
  const { store } = shown();
  const [host, foot] = [document.createElement('div'), document.createElement('div')];
  document.body.replaceChildren(host, foot);
  const { dispose } = render(host, store, { compact: true, sayIn: foot });
  expect(host.querySelector('.tfm-said')).toBeNull();
  host.querySelector<HTMLElement>('button[aria-label^="Park"]')!.click();
  await vi.advanceTimersByTimeAsync(3100);
  expect(foot.textContent).toContain('has not answered yet');
  foot.querySelector<HTMLElement>('button')!.click();
  expect(document.activeElement).toBe(host.querySelector('section'));
  dispose();
  expect(foot.childElementCount).toBe(0);
});
