import { LiveStore } from '../src/core/live';
import { render } from '../src/core/panel';
import snapshotFile from '../demo/snapshot.json';
import type { ModelRow, Snapshot } from '../src/core/snapshot';

/** A snapshot as the kernel sends it, with what a test changes in it. */
export function snapshotOf(changes: Partial<Snapshot> = {}): Snapshot {
  return { ...(structuredClone(snapshotFile) as unknown as Snapshot), ...changes };
}

export function modelOf(name: string, changes: Partial<ModelRow> = {}): ModelRow {
  return { ...snapshotOf().models[0]!, name, ...changes };
}

export interface Shown {
  store: LiveStore;
  host: HTMLElement;
  sent: Record<string, unknown>[];
  dispose: () => void;
  /** Send the next snapshot. */
  next(changes?: Partial<Snapshot>): void;
  tab(name: string): HTMLElement;
  /** The requests of a kind that the page sent so far. */
  asked(kind: string): Record<string, unknown>[];
  answer(kind: string, reply: Record<string, unknown>): Promise<void>;
}

/** The panel in a page, over a store whose messages the test sends and reads. */
export function shown(changes: Partial<Snapshot> = {}): Shown {
  const sent: Record<string, unknown>[] = [];
  const store = new LiveStore(message => sent.push(message));
  let seq = 1;
  const next = (more: Partial<Snapshot> = {}): void => {
    seq += 1;
    store.takeSnapshot(snapshotOf({ ...changes, seq, time_s: 1_800_000_000 + seq, ...more }));
  };
  next();
  const host = document.createElement('div');
  document.body.replaceChildren(host);
  const { dispose } = render(host, store);
  const asked = (kind: string): Record<string, unknown>[] => sent.filter(message => message.request === kind);
  return {
    store,
    host,
    sent,
    dispose,
    next,
    asked,
    tab: name => {
      const buttons = [...host.querySelectorAll<HTMLElement>('[role=tab]')];
      const button = buttons.find(candidate => candidate.textContent === name)!;
      button.click();
      return host.querySelector<HTMLElement>('[role=tabpanel]:not([hidden])')!;
    },
    answer: async (kind, reply) => {
      const last = asked(kind).at(-1)!;
      store.takeMessage({ schema: 1, id: last.id, said: null, ...reply });
      await new Promise<void>(resolve => queueMicrotask(resolve));
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
  };
}

export function button(within: ParentNode, text: string): HTMLButtonElement {
  return [...within.querySelectorAll('button')].find(candidate => candidate.textContent === text)!;
}
