import { Calls } from './calls';
import { isHistoryRecord, isSnapshot } from './check';
import { Lease } from './lease';
import { Merged } from './merge';
import { isRecord } from './shape';
import { extended } from './tail';
import { otherSchema, otherVersion } from './version';
import { t } from './text';
import type { History, Snapshot } from './snapshot';
import type { Fields, Reply, RequestKind, Results, Status, Store } from './protocol';

const TICK_MS = 1000;
const INTERVALS_TILL_STALE = 3;

/** The store that every host uses: it is handed messages as they come, whatever they are, and `send`. */
export class LiveStore implements Store {
  snapshot: Snapshot | null = null;
  history: History | null = null;
  problem: string | null = null;
  private gone = false;
  private receivedMs: number | null = null;
  private readonly listeners = new Set<() => void>();
  private ticker: ReturnType<typeof setInterval> | null = null;
  // Two pages may share one channel, and one of them may look away.
  private readonly page = Math.random().toString(36).slice(2, 10);
  private readonly merged = new Merged();
  private readonly calls: Calls;
  private readonly lease: Lease;
  private wished_s: number | null = null;

  constructor(send: (message: Record<string, unknown>) => void) {
    this.calls = new Calls(send);
    this.lease = new Lease(looking => {
      // That a kernel has not heard it shows soon enough: no snapshot comes.
      if (!this.gone) this.request('watch', this.watching(looking)).catch(() => undefined);
    });
  }

  get status(): Status {
    if (this.gone) return 'gone';
    if (this.snapshot === null || this.receivedMs === null) return 'waiting';
    // The sampler slept while nobody looked: its silence counts from when somebody did.
    const silentMs = Date.now() - Math.max(this.receivedMs, this.lease.held ? this.lease.since : 0);
    const patienceMs = Math.max(this.snapshot.sampler.interval_s * INTERVALS_TILL_STALE, 1) * 1000;
    return silentMs > patienceMs ? 'stale' : 'live';
  }

  /** Whether somebody looks here, so that the kernel sends news by itself. */
  get watched(): boolean {
    return this.lease.held;
  }

  ageMs(): number | null {
    return this.receivedMs === null ? null : Math.max(0, Date.now() - this.receivedMs);
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    this.ticker ??= setInterval(() => {
      if (this.status !== 'live') this.notify();
    }, TICK_MS);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0 || this.ticker === null) return;
      clearInterval(this.ticker);
      this.ticker = null;
    };
  }

  async request<Kind extends RequestKind>(kind: Kind, fields: Fields = {}): Promise<Reply<Results[Kind]>> {
    const reply = await this.calls.start(kind, fields);
    if (kind === 'snapshot') this.takeSnapshot(reply.result);
    if (kind === 'history') this.takeHistory(reply.result);
    return reply;
  }

  look(viewer: object, looking: boolean): void {
    this.lease.look(viewer, looking);
  }

  /** Have the kernel look this often while somebody looks here; null leaves that to the kernel. */
  wish(interval_s: number | null): void {
    if (interval_s === this.wished_s) return;
    this.wished_s = interval_s;
    this.lease.renew();
  }

  /** Have everything drawn anew: it is to be shown in another way. */
  redraw(): void {
    this.notify();
  }

  /** Have everything sent anew, where somebody looks. */
  renew(): void {
    this.lease.renew();
  }

  /** Take what may be a snapshot. What cannot be read, or is older than what is shown, changes nothing. */
  takeSnapshot(value: unknown): void {
    if (otherSchema(value) !== null) {
      this.problem = otherVersion(value);
      this.notify();
      return;
    }
    if (!isSnapshot(value) || this.isOld(value)) return;
    if (this.snapshot !== null && this.snapshot.kernel.pid !== value.kernel.pid) this.history = null;
    this.problem = null;
    this.gone = false;
    this.snapshot = value;
    this.receivedMs = Date.now();
    if (this.history !== null) this.history = extended(this.history, value);
    this.notify();
  }

  takeHistory(value: unknown): void {
    if (otherSchema(value) !== null || !isHistoryRecord(value)) return;
    this.history = value;
    this.notify();
  }

  /** Take any message: a snapshot, an answer to a request, or one that is not for this page. */
  takeMessage(message: unknown): void {
    if (!isRecord(message) || message.kind !== 'snapshot') {
      this.calls.take(message);
      return;
    }
    // What another version sends is not put together: its parts may be other ones.
    const foreign = otherSchema(message.snapshot) !== null;
    const whole = foreign ? message.snapshot : this.merged.take(message);
    if (whole === null) this.renew();
    else this.takeSnapshot(whole);
  }

  /** The channel to the kernel has ended. Should it live after all, its next snapshot shows it. */
  lose(): void {
    if (this.gone) return;
    this.gone = true;
    this.calls.failAll(t('the kernel of this panel has ended'));
    // One question after all: a channel that lives answers it with a snapshot, which undoes this.
    if (this.lease.held) this.calls.start('watch', this.watching(true)).catch(() => undefined);
    this.notify();
  }

  private watching(looking: boolean): Fields {
    return { looking, page: this.page, ...(this.wished_s === null ? {} : { interval_s: this.wished_s }) };
  }

  private isOld(value: Snapshot): boolean {
    const held = this.snapshot;
    if (held === null) return false;
    const sameKernel =
      held.kernel.pid === value.kernel.pid && held.kernel.started_s === value.kernel.started_s;
    return sameKernel ? value.seq <= held.seq : value.time_s < held.time_s;
  }

  private notify(): void {
    for (const listener of [...this.listeners]) listener();
  }
}
