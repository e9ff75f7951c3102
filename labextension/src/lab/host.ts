import type { ILabShell, JupyterFrontEnd } from '@jupyterlab/application';
import type { Connections } from './connections';
import type { Documents } from './subject';

/** What the parts of the extension share: who is in front, and the connections to kernels. */
export interface Host {
  readonly app: JupyterFrontEnd;
  /** JupyterLab's; Notebook 7 has none. */
  readonly labShell: ILabShell | null;
  readonly documents: Documents;
  readonly connections: Connections;
}
