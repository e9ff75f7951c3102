import type { ISessionContext } from '@jupyterlab/apputils';
import type { Connection } from './connection';
import type { Connections } from './connections';
import type { Subject } from './subject';

/** Tells `shown` which session and kernel a subject has, now and whenever that or what is known of it changes. */
export class Follower {
  session: ISessionContext | null = null;
  connection: Connection | null = null;

  constructor(
    private readonly subject: Subject,
    private readonly connections: Connections,
    private readonly shown: () => void
  ) {
    subject.changed.connect(this.follow, this);
    this.follow();
  }

  dispose(): void {
    this.subject.changed.disconnect(this.follow, this);
    this.session?.kernelChanged.disconnect(this.follow, this);
    this.connection?.changed.disconnect(this.tell, this);
  }

  private follow(): void {
    const { session } = this.subject;
    if (session !== this.session) {
      this.session?.kernelChanged.disconnect(this.follow, this);
      session?.kernelChanged.connect(this.follow, this);
      this.session = session;
    }
    const kernel = session?.session?.kernel ?? null;
    const connection = kernel === null ? null : this.connections.of(kernel);
    if (connection !== this.connection) {
      this.connection?.changed.disconnect(this.tell, this);
      connection?.changed.connect(this.tell, this);
      this.connection = connection;
    }
    this.shown();
  }

  private tell(): void {
    this.shown();
  }
}
