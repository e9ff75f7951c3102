import { Compact } from './compact';
import { Header } from './header';
import { h, setAttribute } from './dom';
import { Libraries } from './libraries';
import { Log } from './log';
import { Memory } from './memory';
import { Models } from './models';
import { Overview } from './overview';
import { PlacementView } from './placement';
import { Said } from './said';
import { Tabs } from './tabs';
import { t } from './text';
import { watchSight } from './sight';
import type { Context } from './view';
import type { Store } from './protocol';

export interface Options {
  /** A glance for a narrow place, in place of the tabs. */
  compact?: boolean;
}

/** Draw the panel into `host`, and keep it true to the store until the returned function is called. */
export function render(host: HTMLElement, store: Store, { compact = false }: Options = {}): () => void {
  const said = new Said();
  const context: Context = {
    store,
    say: (sentence, kind) => {
      said.say(sentence, kind);
    }
  };
  const header = new Header(store);
  const body = compact
    ? glance(context)
    : tabbed(context, () => {
        said.clear();
      });
  const frame = h(
    'section',
    { class: 'tfm', 'aria-label': t('TensorFlow in this kernel') },
    header.element,
    body.top,
    said.element,
    body.element
  );
  host.append(frame);
  const update = (): void => {
    setAttribute(frame, 'data-status', store.status);
    header.update();
    body.update();
  };
  const unsubscribe = store.subscribe(update);
  update();
  const unwatch = watchSight(frame, visible => {
    store.look(frame, visible);
  });
  return () => {
    unsubscribe();
    unwatch();
    frame.remove();
  };
}

interface Body {
  top: HTMLElement | null;
  element: HTMLElement;
  update(): void;
}

function glance(context: Context): Body {
  const view = new Compact(context);
  return {
    top: null,
    element: view.element,
    update: () => {
      view.update();
    }
  };
}

function tabbed(context: Context, onchange: () => void): Body {
  const views = [
    { title: t('Overview'), make: () => new Overview(context) },
    { title: t('Models'), make: () => new Models(context) },
    { title: t('Memory'), make: () => new Memory(context) },
    { title: t('Placement'), make: () => new PlacementView(context) },
    { title: t('Libraries'), make: () => new Libraries(context) },
    { title: t('Log'), make: () => new Log(context) }
  ];
  const tabs = new Tabs(t('Views of the kernel'), views, onchange);
  return {
    top: tabs.list,
    element: tabs.panels,
    update: () => {
      tabs.update();
    }
  };
}
