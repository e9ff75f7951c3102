import { KernelMessage, type Kernel } from '@jupyterlab/services';
import { Signal, type ISignal } from '@lumino/signaling';
import { LiveStore } from '../core/live';
import { isRecord } from '../core/shape';
import { Loading } from './loading';

/** The names that the kernel's side uses, tfmagic/panel/channel/channel.py. */
const REQUEST = 'tfmagic_request';
const PUSH = 'tfmagic_push';
const SIGN = 'tfmagic';

/**
 * `asking`: the kernel has not answered yet. `absent`: it answers, and knows no tfmagic. `foreign`: it
 * is no Python kernel. `lost`: the server cannot be reached. `dead`: the kernel has ended for good.
 */
export type Presence = 'asking' | 'absent' | 'foreign' | 'there' | 'restarting' | 'lost' | 'dead';

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** Between the kernel's “idle” and an answer that was sent before it, on another channel. */
const LATE_MS = 1500;
/** An answer may take as long as tracing a model does; after that nobody waits for it. */
const FORGET_MS = 310_000;
/** How long it is waited for what a kernel that has said nothing yet may say. */
const KNOWN_MS = 4000;

/** What one kernel says of itself: requests go over its control channel, snapshots come over iopub. */
export class Connection {
  readonly loading: Loading;
  private held = this.newStore();
  private wished_s: number | null = null;
  private found: Presence = 'asking';
  private waitMs = FIRST_WAIT_MS;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private probe = 0;
  private isLanguageKnown = false;
  private disposed = false;
  /** Of the process whose pushes are heard, and of the one before the last restart. */
  private session: string | null = null;
  private former: string | null = null;
  private readonly changes = new Signal<this, undefined>(this);

  constructor(
    readonly kernel: Kernel.IKernelConnection,
    private readonly reveal: () => void = () => undefined
  ) {
    this.loading = new Loading(kernel, () => this.changes.emit(undefined));
    kernel.iopubMessage.connect(this.hear, this);
    kernel.statusChanged.connect(this.statusChanged, this);
    kernel.connectionStatusChanged.connect(this.connectionChanged, this);
    kernel.disposed.connect(this.dispose, this);
    void this.begin();
  }

  /** The snapshots of this kernel; after a restart another store, without what was before it. */
  get store(): LiveStore {
    return this.held;
  }

  get presence(): Presence {
    if (this.kernel.status === 'dead') return 'dead';
    if (this.found === 'foreign') return 'foreign';
    if (this.kernel.status === 'restarting' || this.kernel.status === 'autorestarting') return 'restarting';
    if (this.kernel.connectionStatus !== 'connected' && this.found === 'there') return 'lost';
    return this.found;
  }

  get changed(): ISignal<this, undefined> {
    return this.changes;
  }

  /** Wait until it is known whether tfmagic is there, or has been asked for long enough. */
  async known(): Promise<void> {
    if (this.presence !== 'asking') return;
    await new Promise<void>(resolve => {
      const end = (): void => {
        clearTimeout(timer);
        this.changes.disconnect(heard);
        resolve();
      };
      const heard = (): void => {
        if (this.presence !== 'asking') end();
      };
      const timer = setTimeout(end, KNOWN_MS);
      this.changes.connect(heard);
    });
  }

  /** Have the kernel look this often while somebody looks here, also after a restart; null leaves it to the kernel. */
  wish(interval_s: number | null): void {
    this.wished_s = interval_s;
    this.held.wish(interval_s);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.stopWaiting();
    this.held.lose();
    Signal.clearData(this);
  }

  private async begin(): Promise<void> {
    // The specification comes from the server: a kernel that is busy would say nothing of itself.
    const language = await this.kernel.spec.then(
      spec => spec?.language.toLowerCase(),
      () => undefined
    );
    if (this.disposed) return;
    this.isLanguageKnown = true;
    if (language === undefined || language === 'python') this.ask();
    else this.find('foreign');
  }

  /** Ask whether tfmagic is there, again and again until the kernel says anything. */
  private ask(): void {
    this.stopWaiting();
    // A question before the language is known could be answered after it, and hide that the kernel is foreign.
    if (this.disposed || !this.isLanguageKnown || this.found === 'foreign') return;
    this.probe += 1;
    const { probe } = this;
    const isPresent = (): boolean => !this.disposed && probe === this.probe;
    this.timer = setTimeout(() => {
      this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
      this.ask();
    }, this.waitMs + LATE_MS);
    const answered = (content: unknown): void => {
      // Also after it was taken for absent: an answer may be later than that.
      if (!isPresent() || !isRecord(content) || !isRecord(content.comms)) return;
      if (Object.values(content.comms).some(comm => isRecord(comm) && comm.target_name === SIGN))
        this.attach();
      else absent();
    };
    const absent = (): void => {
      this.stopWaiting();
      this.find('absent');
    };
    const idle = (): void => {
      setTimeout(() => {
        if (isPresent()) absent();
      }, LATE_MS);
    };
    try {
      // Every ipykernel knows this question; one of ours a kernel without tfmagic would note as an error.
      this.post('comm_info_request', { target_name: SIGN }, answered, idle);
    } catch {
      // A kernel that cannot be written to now is asked again when the wait is over.
    }
  }

  private attach(): void {
    this.probe += 1;
    this.stopWaiting();
    this.waitMs = FIRST_WAIT_MS;
    this.loading.forget();
    const { store } = this;
    // What comes of these the store takes in by itself; that nothing comes shows by its age.
    for (const kind of ['history', 'snapshot'] as const) store.request(kind).catch(() => undefined);
    // Where somebody looks, the kernel may have taken the silence until now for a page that went.
    store.renew();
    this.find('there');
  }

  private hear(_: unknown, message: KernelMessage.IIOPubMessage): void {
    const content: unknown = message.content;
    const { msg_type, session } = message.header;
    // What the process before a restart has sent can come after it: the server keeps it for a page that reconnects.
    if ((msg_type as string) !== PUSH || !isRecord(content) || session === this.former) return;
    this.session = session;
    switch (content.kind) {
      case 'snapshot':
        this.store.takeMessage(content);
        if (this.found !== 'there' && this.found !== 'foreign') this.attach();
        break;
      case 'loaded':
        if (this.found !== 'foreign') this.attach();
        break;
      case 'unloaded':
        this.forget('absent');
        break;
      case 'reveal':
        this.reveal();
        // The cell that asked for it waits for this.
        this.store.request('revealed').catch(() => undefined);
        break;
    }
  }

  private statusChanged(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting') {
      this.former = this.session ?? this.former;
      this.session = null;
      this.forget('restarting');
    } else if (this.found === 'restarting' && (status === 'idle' || status === 'busy')) {
      this.find('asking');
      this.ask();
    }
    this.changes.emit(undefined);
  }

  private connectionChanged(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected' && this.found !== 'restarting') {
      this.waitMs = FIRST_WAIT_MS;
      this.ask();
    }
    this.changes.emit(undefined);
  }

  /** What was known of this kernel is no longer so. */
  private forget(found: Presence): void {
    if (this.found === 'foreign') return;
    this.probe += 1;
    this.stopWaiting();
    this.loading.forget();
    const former = this.held;
    this.held = this.newStore();
    // Who is told that the former one is lost is not to look at this one.
    this.found = found;
    former.lose();
    this.held.wish(this.wished_s);
    this.find(found);
  }

  private find(found: Presence): void {
    this.found = found;
    this.changes.emit(undefined);
  }

  private stopWaiting(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private newStore(): LiveStore {
    const store: LiveStore = new LiveStore(message => {
      // What is there instead of its kernel may have no tfmagic, and would note its last question as an error.
      if (this.held !== store) throw new Error('the kernel has ended');
      this.post(REQUEST, message, content => store.takeMessage(content));
    });
    return store;
  }

  private post(
    kind: string,
    content: Record<string, unknown>,
    answered: (content: unknown) => void,
    idle?: () => void
  ): void {
    const { kernel } = this;
    // JupyterLab would keep it, and send all that was kept at once when the connection is back.
    if (kernel.connectionStatus !== 'connected' || kernel.status === 'dead')
      throw new Error('the kernel is out of reach');
    const message = KernelMessage.createMessage({
      channel: 'control',
      msgType: kind as 'debug_request',
      session: kernel.clientId,
      username: kernel.username,
      content: content as never
    }) as unknown as KernelMessage.IControlMessage;
    const future = kernel.sendControlMessage(message, true, true);
    const forget = setTimeout(() => {
      future.dispose();
    }, FORGET_MS);
    const end = (): void => clearTimeout(forget);
    future.done.then(end, end);
    future.onReply = reply => answered(reply.content);
    future.onIOPub = published => {
      if (KernelMessage.isStatusMsg(published) && published.content.execution_state === 'idle') idle?.();
    };
  }
}
