import type { ISessionContext } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { focusedIn, h, setAttribute, setText, show } from '../core/dom';
import { render } from '../core/panel';
import { t } from '../core/text';
import { reason } from '../core/view';
import { Follower } from './follower';
import { sentence, situation } from './situation';
import type { Connections } from './connections';
import type { LiveStore } from '../core/live';
import type { Subject } from './subject';

/** A console's path is one that JupyterLab made up, and its name what its tab bears. */
function called({ type, name, path }: ISessionContext): string {
  return type === 'console' ? name : path || name;
}

/** The panel of a subject's kernel, or the sentence that says why there is none. */
export class KernelView extends Widget {
  private readonly name = h('strong', { class: 'tfm-lab-name', dir: 'auto' });
  private readonly notice = h('p', { class: 'tfm-lab-notice', role: 'status' });
  private readonly load: HTMLButtonElement;
  private readonly place = h('div', { class: 'tfm-lab-place' });
  private readonly follower: Follower;
  private drawn: { store: LiveStore; end: () => void } | null = null;
  private trouble: string | null = null;

  constructor(
    subject: Subject,
    connections: Connections,
    private readonly compact: boolean
  ) {
    super();
    this.addClass('tfm-lab');
    this.node.tabIndex = -1;
    this.load = h(
      'button',
      {
        type: 'button',
        class: 'tfm-lab-load',
        title: '%load_ext tfmagic',
        onclick: () => void this.loadIt()
      },
      t('Load tfmagic')
    );
    this.node.append(h('div', { class: 'tfm-lab-top' }, this.name, this.notice, this.load), this.place);
    this.follower = new Follower(subject, connections, () => {
      this.trouble = null;
      this.draw();
    });
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
        this.node.focus({ preventScroll: true });
    });
  }

  private draw(): void {
    // What has the focus may go with a state of the kernel: the person is still here then.
    const focused = focusedIn(this.node);
    this.drawState();
    if (focused !== null && (!this.node.contains(focused) || focused.closest('[hidden]') !== null))
      this.node.focus({ preventScroll: true });
  }

  private drawState(): void {
    // The follower's first word comes while it is being made.
    const follower = this.follower as Follower | undefined;
    if (follower === undefined) return;
    const { session, connection } = follower;
    const found = situation(follower);
    setText(this.name, session === null ? '' : `${called(session)} · ${session.kernelDisplayName}`);
    const problem = found === 'other-version' ? connection?.store.problem : null;
    const text = this.trouble ?? problem ?? sentence(found);
    setText(this.notice, text);
    show(this.notice, text !== '');
    show(this.load, found === 'absent');
    setAttribute(this.node, 'data-situation', found);
    const drawable = connection !== null && ['there', 'no-tensorflow', 'lost'].includes(found);
    const store = drawable ? connection.store : null;
    if (store === (this.drawn?.store ?? null)) return;
    this.clear();
    if (store === null) return;
    const dispose = render(this.place, store, { compact: this.compact });
    // With its first snapshot a store tells whether TensorFlow is there.
    const unsubscribe = store.subscribe(() => this.draw());
    this.drawn = {
      store,
      end: () => {
        unsubscribe();
        dispose();
      }
    };
  }

  private clear(): void {
    this.drawn?.end();
    this.drawn = null;
  }

  private async loadIt(): Promise<void> {
    const { connection } = this.follower;
    if (connection === null || this.load.getAttribute('aria-disabled') === 'true') return;
    setAttribute(this.load, 'aria-disabled', 'true');
    setText(this.load, t('Loading…'));
    try {
      this.trouble = await connection.load();
    } catch (error) {
      this.trouble = reason(error);
    }
    setAttribute(this.load, 'aria-disabled', null);
    setText(this.load, t('Load tfmagic'));
    if (!this.isDisposed) this.draw();
  }
}
