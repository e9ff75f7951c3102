import { Widget } from '@lumino/widgets';
import { focusedIn, h, setAttribute, setText, show } from '../core/dom';
import { render, type Drawn } from '../core/panel';
import { apart, t } from '../core/text';
import { Follower } from './follower';
import { sentence, situation } from './situation';
import type { Connections } from './connections';
import type { LiveStore } from '../core/live';
import { called, type Subject } from './subject';

/**
 * The panel of a subject's kernel, or the sentence that says why there is none. With `openWhole` it is a
 * glance at it, with a button that has the whole opened; with a model, where that model's operations are.
 */
export class KernelView extends Widget {
  private readonly name = h('strong', { class: 'tfm-lab-name', dir: 'auto' });
  private readonly notice = h('p', { class: 'tfm-lab-notice', role: 'status' });
  private readonly whole: HTMLButtonElement;
  private readonly load: HTMLButtonElement;
  private readonly place = h('div', { class: 'tfm-lab-place' });
  private readonly scroller: HTMLElement;
  // Below what is scrolled: what is said there covers nothing.
  private readonly foot = h('div', { class: 'tfm-lab-foot' });
  private readonly follower: Follower;
  private drawn: { store: LiveStore; panel: Drawn; end: () => void } | null = null;
  /** Whose operations are to be shown as soon as there is a panel. */
  private wanted: string | null = null;

  constructor(
    subject: Subject,
    connections: Connections,
    private readonly openWhole: ((model?: string) => void) | null
  ) {
    super();
    this.addClass('tfm-lab');
    const button = (title: string, onclick: () => void): HTMLButtonElement =>
      h('button', { type: 'button', class: 'tfm-lab-button', title, onclick });
    this.whole = button(t('Libraries, placement, memory, models and log of this kernel'), () =>
      this.openWhole?.()
    );
    setText(this.whole, t('Whole panel'));
    this.load = button('%load_ext tfmagic', () => {
      const { loading } = this.follower.connection ?? {};
      if (loading?.isUnderWay === false) void loading.start();
    });
    const head = h('div', { class: 'tfm-lab-head' }, this.name, this.whole);
    const top = h('div', { class: 'tfm-lab-top' }, head, this.notice, this.load);
    this.scroller = h('div', { class: 'tfm-lab-scroller', tabindex: -1 }, top, this.place);
    this.node.append(this.scroller, this.foot);
    this.follower = new Follower(subject, connections, () => this.draw());
    this.draw();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.follower.dispose();
    this.clear();
    super.dispose();
  }

  /** Come to the front where the person did not ask for it: what they are at keeps the focus. */
  unasked = false;

  /** Who comes here by a command goes on from here by Tab. */
  protected override onActivateRequest(): void {
    const { unasked } = this;
    this.unasked = false;
    if (unasked) return;
    // JupyterLab's palette gives the focus back to where it was before, and only then is done.
    setTimeout(() => {
      if (!this.isDisposed && this.isVisible && focusedIn(this.node) === null)
        this.scroller.focus({ preventScroll: true });
    });
  }

  /** Go to where a model's operations are. */
  showPlacement(model: string): void {
    this.wanted = model;
    this.goWhereWanted();
  }

  private goWhereWanted(): void {
    if (this.wanted === null || this.drawn === null) return;
    this.drawn.panel.showPlacement(this.wanted);
    this.wanted = null;
  }

  private draw(): void {
    // What has the focus may go with a state of the kernel: the person is still here then.
    const focused = focusedIn(this.node);
    this.drawState();
    if (focused !== null && (!this.node.contains(focused) || focused.closest('[hidden]') !== null))
      this.scroller.focus({ preventScroll: true });
  }

  private drawState(): void {
    // The follower's first word comes while it is being made.
    const follower = this.follower as Follower | undefined;
    if (follower === undefined) return;
    const { session, connection } = follower;
    const found = situation(follower);
    setText(this.name, session === null ? '' : `${apart(called(session))} · ${session.kernelDisplayName}`);
    const problem = found === 'other-version' ? connection?.store.problem : null;
    const loading = found === 'absent' ? connection?.loading : undefined;
    const text = loading?.trouble ?? problem ?? sentence(found);
    setText(this.notice, text);
    show(this.notice, text !== '');
    show(this.whole, this.openWhole !== null && session !== null);
    show(this.load, loading !== undefined);
    const underWay = loading?.isUnderWay === true;
    setText(this.load, underWay ? t('Loading…') : t('Load tfmagic'));
    setAttribute(this.load, 'aria-disabled', underWay ? 'true' : null);
    setAttribute(this.node, 'data-situation', found);
    const drawable = connection !== null && ['there', 'no-tensorflow', 'importing', 'lost'].includes(found);
    const store = drawable ? connection.store : null;
    if (store === (this.drawn?.store ?? null)) return;
    this.clear();
    if (store === null) return;
    const panel = render(this.place, store, {
      compact: this.openWhole !== null,
      sayIn: this.foot,
      openPlacement: model => this.openWhole?.(model)
    });
    // With its first snapshot a store tells whether TensorFlow is there.
    const unsubscribe = store.subscribe(() => this.draw());
    this.drawn = {
      store,
      panel,
      end: () => {
        unsubscribe();
        panel.dispose();
      }
    };
    this.goWhereWanted();
  }

  private clear(): void {
    this.drawn?.end();
    this.drawn = null;
  }
}
