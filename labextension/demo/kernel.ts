import history from './history.json';
import libraries from './libraries.json';
import log from './log.json';
import placement from './placement.json';
import snapshot from './snapshot.json';

export { history, libraries, log, placement, snapshot };

/** A kernel that is none: an ipywidgets model which answers a page's requests from the files here. */
export class DemoModel {
  readonly sent: Record<string, unknown>[] = [];
  private readonly values = new Map<string, unknown>();
  private readonly listeners = new Map<string, Set<(message?: unknown) => void>>();
  /** Whether requests are answered. */
  answers = true;

  constructor(values: Record<string, unknown>) {
    for (const [name, value] of Object.entries(values)) this.values.set(name, value);
  }

  get(name: string): unknown {
    return this.values.get(name);
  }

  set(name: string, value: unknown): void {
    this.values.set(name, value);
    this.trigger(`change:${name}`);
  }

  on(event: string, callback: (message?: unknown) => void): void {
    const held = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, held.add(callback));
  }

  off(event: string, callback: (message?: unknown) => void): void {
    this.listeners.get(event)?.delete(callback);
  }

  trigger(event: string, message?: unknown): void {
    for (const callback of this.listeners.get(event) ?? []) callback(message);
  }

  send(message: unknown): void {
    const asked = message as { id: string; request: string; model?: string };
    this.sent.push({ ...asked });
    if (!this.answers) return;
    queueMicrotask(() => {
      this.trigger('msg:custom', { schema: 1, id: asked.id, ok: true, said: null, ...this.answer(asked) });
    });
  }

  private answer({ request, model }: { request: string; model?: string }): Record<string, unknown> {
    switch (request) {
      case 'history':
        return { result: this.get('history') };
      case 'libraries':
        return { result: libraries };
      case 'log':
        return { result: this.get('log') ?? log };
      case 'placement':
        return { result: { ...placement, model } };
      case 'drop':
        return { result: null, said: `${model ?? ''} dropped, 206 MB given back` };
      case 'trace':
        return { ok: false, error: 'x: a value is needed, float32[?, 28, 28, 1]' };
      default:
        return { result: null };
    }
  }
}
