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
  /** For a glance: show in another place where a model's operations are. */
  openPlacement?: (model: string) => void;
  /** Where what an action came to is said; without it at the panel's end, over what is below the edge of the view. */
  sayIn?: HTMLElement;
}

/** A panel that was drawn. */
export interface Drawn {
  /** Go to where a model's operations are; a glance has no such place. */
  readonly showPlacement: (model: string) => void;
  readonly dispose: () => void;
}

/** Draw the panel into `host`, and keep it true to the store until it is disposed of. */
export function render(
  host: HTMLElement,
  store: Store,
  { compact = false, openPlacement, sayIn }: Options = {}
): Drawn {
  const said = new Said(() => {
    frame.focus({ preventScroll: true });
  });
  const showPlacement = (model: string): void => {
    body.showPlacement?.(model);
  };
  const context: Context = {
    store,
    say: (sentence, kind, onward) => {
      said.say(sentence, kind, onward);
    },
    openPlacement: compact ? (openPlacement ?? null) : showPlacement
  };
  const header = new Header(store);
  const body: Body = compact
    ? glance(context)
    : tabbed(context, () => {
        said.clear();
      });
  const frame = h(
    'section',
    { class: 'tfm', 'aria-label': t('TensorFlow in this kernel'), tabindex: -1 },
    header.element,
    body.top,
    body.element
  );
  host.append(frame);
  // Last, where its coming and going moves no button.
  (sayIn ?? frame).append(said.element);
  said.element.classList.toggle('tfm', sayIn !== undefined);
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
  return {
    showPlacement,
    dispose: () => {
      unsubscribe();
      unwatch();
      said.clear();
      said.element.remove();
      frame.remove();
    }
  };
}

interface Body {
  top: HTMLElement | null;
  element: HTMLElement;
  update(): void;
  showPlacement?(model: string): void;
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
  let placement: PlacementView | null = null;
  const placementView = (): PlacementView => (placement ??= new PlacementView(context));
  const views = [
    { title: t('Overview'), make: () => new Overview(context) },
    { title: t('Models'), make: () => new Models(context) },
    { title: t('Memory'), make: () => new Memory(context) },
    { title: t('Placement'), make: placementView },
    { title: t('Libraries'), make: () => new Libraries(context) },
    { title: t('Log'), make: () => new Log(context) }
  ];
  const tabs = new Tabs(t('Views of the kernel'), views, onchange);
  const place = views.findIndex(({ make }) => make === placementView);
  return {
    top: tabs.list,
    element: tabs.panels,
    update: () => {
      tabs.update();
    },
    showPlacement: model => {
      placementView().choose(model);
      tabs.open(place);
    }
  };
}
