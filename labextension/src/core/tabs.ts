import { freshId, h, setAttribute, show } from './dom';
import type { View } from './view';

interface Tab {
  button: HTMLButtonElement;
  panel: HTMLElement;
  make: () => View;
  view: View | null;
}

/** Tabs after the ARIA pattern: arrows, Home and End move among them, Tab goes on into the page. */
export class Tabs {
  private readonly tabs: Tab[];
  private chosen = 0;
  readonly list: HTMLElement;
  readonly panels: HTMLElement;

  constructor(
    label: string,
    tabs: readonly { title: string; make: () => View }[],
    private readonly onchange: () => void
  ) {
    this.tabs = tabs.map(({ title, make }, index) => {
      const ids = { tab: freshId('tab'), panel: freshId('panel') };
      const onclick = (): void => {
        this.choose(index);
      };
      const button = h(
        'button',
        { type: 'button', role: 'tab', id: ids.tab, 'aria-controls': ids.panel, onclick },
        title
      );
      const about = { role: 'tabpanel', id: ids.panel, 'aria-labelledby': ids.tab, tabindex: 0 };
      const panel = h('div', { ...about, class: 'tfm-panel', hidden: true });
      return { button, panel, make, view: null };
    });
    const onkeydown = (event: Event): void => {
      this.key(event as KeyboardEvent);
    };
    const buttons = this.tabs.map(({ button }) => button);
    this.list = h('div', { role: 'tablist', 'aria-label': label, class: 'tfm-tabs', onkeydown }, ...buttons);
    this.panels = h('div', { class: 'tfm-panels' }, ...this.tabs.map(({ panel }) => panel));
    this.mark();
  }

  /** Bring the shown view up to date; it is made when it is first shown. */
  update(): void {
    const tab = this.tabs[this.chosen];
    if (tab === undefined) return;
    if (tab.view === null) {
      tab.view = tab.make();
      tab.panel.append(tab.view.element);
      tab.view.enter?.();
    }
    tab.view.update();
  }

  /** Go to a tab from somewhere else in the page. */
  open(index: number): void {
    if (index === this.chosen) {
      this.tabs[index]?.view?.enter?.();
      this.update();
    } else this.choose(index);
    this.tabs[index]?.button.focus();
  }

  private choose(index: number): void {
    if (index === this.chosen) return;
    this.chosen = index;
    this.onchange();
    this.mark();
    this.tabs[index]?.view?.enter?.();
    this.update();
  }

  private mark(): void {
    this.tabs.forEach(({ button, panel }, index) => {
      const here = index === this.chosen;
      setAttribute(button, 'aria-selected', String(here));
      setAttribute(button, 'tabindex', here ? 0 : -1);
      show(panel, here);
    });
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, number> = {
      ArrowRight: this.chosen + 1,
      ArrowLeft: this.chosen - 1,
      Home: 0,
      End: this.tabs.length - 1
    };
    const wanted = steps[event.key];
    if (wanted === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    // The host's own shortcuts (a notebook's cells move by arrows) are not meant here.
    event.stopPropagation();
    this.choose((wanted + this.tabs.length) % this.tabs.length);
    this.tabs[this.chosen]?.button.focus();
  }
}
