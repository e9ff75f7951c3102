import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { Connection } from './connection';

/** One connection for each of the page's own kernel connections, however many views look at it. */
export class Connections {
  /** A kernel wants the sidebar to be seen. */
  readonly revealed = new Signal<this, undefined>(this);
  private readonly open = new Map<Kernel.IKernelConnection, Connection>();
  private interval_s: number | null = null;

  of(kernel: Kernel.IKernelConnection): Connection {
    let found = this.open.get(kernel);
    if (found === undefined) {
      found = new Connection(kernel, () => this.revealed.emit(undefined));
      found.wish(this.interval_s);
      this.open.set(kernel, found);
      kernel.disposed.connect(() => this.open.delete(kernel));
    }
    return found;
  }

  /** Have every kernel look this often while somebody looks at it here; null leaves it to the kernel. */
  wish(interval_s: number | null): void {
    this.interval_s = interval_s;
    for (const connection of this.open.values()) connection.wish(interval_s);
  }

  /** Have everything drawn anew that shows a kernel. */
  redraw(): void {
    for (const connection of this.open.values()) connection.store.redraw();
  }
}
