import type { Kernel } from '@jupyterlab/services';
import { Connection } from './connection';

/** One connection for each of the page's own kernel connections, however many views look at it. */
export class Connections {
  private readonly open = new Map<Kernel.IKernelConnection, Connection>();

  of(kernel: Kernel.IKernelConnection): Connection {
    let found = this.open.get(kernel);
    if (found === undefined) {
      found = new Connection(kernel);
      this.open.set(kernel, found);
      kernel.disposed.connect(() => this.open.delete(kernel));
    }
    return found;
  }
}
