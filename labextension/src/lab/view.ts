import { Widget } from '@lumino/widgets';
import { h, setAttribute, setText, show } from '../core/dom';
import { render } from '../core/panel';
import { t } from '../core/text';
import { reason } from '../core/view';
import { Follower } from './follower';
import { sentence, situation } from './situation';
import type { Connections } from './connections';
import type { LiveStore } from '../core/live';
import type { Subject } from './subject';

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

  private draw(): void {
    // The follower's first word comes while it is being made.
    const follower = this.follower as Follower | undefined;
    if (follower === undefined) return;
    const { session, connection } = follower;
    const found = situation(follower);
    const place = session === null ? '' : session.path || session.name;
    setText(this.name, session === null ? '' : `${place} · ${session.kernelDisplayName}`);
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
    if (connection === null) return;
    setAttribute(this.load, 'disabled', true);
    try {
      const trouble = await connection.load();
      this.trouble =
        trouble === null
          ? null
          : t(
              '%load_ext tfmagic failed in this kernel: {why} (pip install "tfmagic[lab]" where the kernel runs)',
              {
                why: trouble
              }
            );
    } catch (error) {
      this.trouble = reason(error);
    }
    setAttribute(this.load, 'disabled', null);
    if (!this.isDisposed) this.draw();
  }
}
