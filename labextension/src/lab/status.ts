import { Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';
import { h, setText } from '../core/dom';
import { t, tn } from '../core/text';
import { bytes } from '../core/units';
import { Follower } from './follower';
import type { Connections } from './connections';
import type { LiveStore } from '../core/live';
import type { Subject } from './subject';

const LOOK_MS = 10_000;

/** Memory and models of the kernel in front, in the status bar. It asks rarely, and only in a page that is seen. */
export class StatusItem extends Widget {
  readonly activeChanged = new Signal<this, undefined>(this);
  private readonly button: HTMLButtonElement;
  private readonly follower: Follower;
  private readonly ticker: ReturnType<typeof setInterval>;
  private store: LiveStore | null = null;
  private unsubscribe: (() => void) | null = null;

  constructor(subject: Subject, connections: Connections, open: () => void) {
    super();
    this.addClass('tfm-lab-status');
    this.button = h('button', {
      type: 'button',
      title: t('TensorFlow in this kernel: open the panel'),
      onclick: open
    });
    this.node.append(this.button);
    this.follower = new Follower(subject, connections, () => this.follow());
    this.ticker = setInterval(() => {
      const { store } = this;
      if (store !== null && store.status !== 'live' && document.visibilityState !== 'hidden')
        store.request('snapshot').catch(() => undefined);
    }, LOOK_MS);
    this.follow();
  }

  /** Whether there is anything to show. */
  get isActive(): boolean {
    return this.store !== null && this.store.snapshot !== null;
  }

  override dispose(): void {
    if (this.isDisposed) return;
    clearInterval(this.ticker);
    this.follower.dispose();
    this.unsubscribe?.();
    super.dispose();
  }

  private follow(): void {
    const connection = (this.follower as Follower | undefined)?.connection ?? null;
    const store = connection?.presence === 'there' ? connection.store : null;
    if (store !== this.store) {
      this.unsubscribe?.();
      this.unsubscribe = store?.subscribe(() => this.draw()) ?? null;
      this.store = store;
    }
    this.draw();
  }

  private draw(): void {
    const snapshot = this.store?.snapshot ?? null;
    const text =
      snapshot === null
        ? ''
        : t('TF {size}, {models}', {
            size: bytes(snapshot.process.rss_bytes),
            models: tn('{n} model', '{n} models', snapshot.models.length)
          });
    if (this.button.textContent === text) return;
    setText(this.button, text);
    this.activeChanged.emit(undefined);
  }
}
