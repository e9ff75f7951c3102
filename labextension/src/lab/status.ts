import { KernelMessage, type Kernel } from '@jupyterlab/services';
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
const AFTER_A_CELL_MS = 300;

/**
 * Memory and models of the kernel in front, in the status bar. It asks rarely, and when a cell has ended,
 * which may have added models; and only in a page that is seen.
 */
export class StatusItem extends Widget {
  readonly activeChanged = new Signal<this, undefined>(this);
  private readonly button: HTMLButtonElement;
  private readonly follower: Follower;
  private readonly ticker: ReturnType<typeof setInterval>;
  private soon: ReturnType<typeof setTimeout> | undefined;
  private store: LiveStore | null = null;
  private kernel: Kernel.IKernelConnection | null = null;
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
      if (this.store?.status !== 'live') this.look();
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
    clearTimeout(this.soon);
    this.kernel?.iopubMessage.disconnect(this.hear, this);
    this.follower.dispose();
    this.unsubscribe?.();
    super.dispose();
  }

  private look(): void {
    const { store } = this;
    if (store !== null && !store.watched && document.visibilityState !== 'hidden')
      store.request('snapshot').catch(() => undefined);
  }

  /** Look once what has run is over; not after one of our own requests, which would go on for ever. */
  private hear(_: Kernel.IKernelConnection, message: KernelMessage.IIOPubMessage): void {
    if (!KernelMessage.isStatusMsg(message) || message.content.execution_state !== 'idle') return;
    if ((message.parent_header as Partial<KernelMessage.IHeader>).msg_type !== 'execute_request') return;
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.look(), AFTER_A_CELL_MS);
  }

  private follow(): void {
    const connection = (this.follower as Follower | undefined)?.connection ?? null;
    const kernel = connection?.kernel ?? null;
    if (kernel !== this.kernel) {
      this.kernel?.iopubMessage.disconnect(this.hear, this);
      kernel?.iopubMessage.connect(this.hear, this);
      this.kernel = kernel;
    }
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
