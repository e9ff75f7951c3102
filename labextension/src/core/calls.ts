import { isHistoryRecord, isLibrariesRecord, isNativeLogRecord, isPlacementRecord } from './check';
import { isRecord } from './shape';
import { t } from './text';
import { span } from './units';
import type { Fields, Reply, RequestKind, Results } from './protocol';

/**
 * Loading, parking and tracing take as long as they take, and where a model is may have to be traced; what
 * is only looked up does not.
 */
const PATIENCE_MS: Partial<Record<RequestKind, number>> = {
  park: 120_000,
  wake: 120_000,
  drop: 120_000,
  trace: 300_000,
  placement: 300_000
};
const SHORT_PATIENCE_MS = 15_000;

interface Call {
  kind: RequestKind;
  timer: ReturnType<typeof setTimeout>;
  resolve: (reply: Reply<never>) => void;
  reject: (reason: Error) => void;
}

/** The requests under way: each has an id of its own, one answer, and a time after which it has failed. */
export class Calls {
  private readonly open = new Map<string, Call>();
  // Two pages may share one channel, and each hears the answers to both.
  private readonly prefix = Math.random().toString(36).slice(2, 10);
  private last = 0;

  constructor(private readonly send: (message: Record<string, unknown>) => void) {}

  start<Kind extends RequestKind>(kind: Kind, fields: Fields): Promise<Reply<Results[Kind]>> {
    this.last += 1;
    const id = `${this.prefix}-${this.last}`;
    return new Promise((resolve, reject) => {
      const patience = PATIENCE_MS[kind] ?? SHORT_PATIENCE_MS;
      const timer = setTimeout(() => {
        this.open.delete(id);
        reject(new Error(t('no answer from the kernel in {time}', { time: span(patience / 1000) })));
      }, patience);
      this.open.set(id, { kind, timer, resolve, reject });
      try {
        this.send({ id, request: kind, ...fields });
      } catch {
        this.end(id)?.reject(new Error(t('the kernel cannot be reached')));
      }
    });
  }

  /** Take a message that may be an answer; false when it is none of ours. */
  take(message: unknown): boolean {
    if (!isRecord(message) || typeof message.id !== 'string') return false;
    const call = this.end(message.id);
    if (call === null) return false;
    const { ok, result, said, error } = message;
    if (ok === true) {
      const drawn = understood(call.kind, result);
      if (drawn === undefined) call.reject(new Error(t('the kernel’s answer cannot be read')));
      else call.resolve({ result: drawn as never, said: typeof said === 'string' ? said : null });
    } else {
      call.reject(new Error(typeof error === 'string' ? error : t('the kernel’s answer cannot be read')));
    }
    return true;
  }

  /** Fail every request under way: nobody is there any more to answer. */
  failAll(reason: string): void {
    for (const id of [...this.open.keys()]) this.end(id)?.reject(new Error(reason));
  }

  private end(id: string): Call | null {
    const call = this.open.get(id);
    if (call === undefined) return null;
    clearTimeout(call.timer);
    this.open.delete(id);
    return call;
  }
}

function understood(kind: RequestKind, result: unknown): unknown {
  switch (kind) {
    case 'history':
      return isHistoryRecord(result) ? result : undefined;
    case 'placement':
      return isPlacementRecord(result) ? result : undefined;
    case 'log':
      return isNativeLogRecord(result) ? result.entries : undefined;
    case 'libraries':
      return isLibrariesRecord(result) ? result : undefined;
    default:
      return result ?? null;
  }
}
