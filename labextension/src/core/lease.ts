const LEASE_MS = 10_000;
/** Messages that cannot be read come as fast as they like: not each is a reason to ask. */
const RENEWAL_MS = 1000;

/** Keeps the kernel told, every few seconds, that somebody looks; silence lets its sampler sleep. */
export class Lease {
  private readonly lookers = new Set<object>();
  private timer: ReturnType<typeof setInterval> | null = null;
  private renewedMs = -Infinity;
  /** When somebody began to look, by this page's clock in milliseconds. */
  since = 0;

  constructor(private readonly tell: (looking: boolean) => void) {}

  get held(): boolean {
    return this.timer !== null;
  }

  /** Ask to be sent everything anew. */
  renew(): void {
    if (!this.held || Date.now() - this.renewedMs < RENEWAL_MS) return;
    this.renewedMs = Date.now();
    this.tell(true);
  }

  look(viewer: object, looking: boolean): void {
    if (looking) this.lookers.add(viewer);
    else this.lookers.delete(viewer);
    if (this.lookers.size > 0 === this.held) return;
    if (this.timer === null) {
      this.since = Date.now();
      this.timer = setInterval(() => {
        this.tell(true);
      }, LEASE_MS);
      this.tell(true);
    } else {
      clearInterval(this.timer);
      this.timer = null;
      this.tell(false);
    }
  }
}
