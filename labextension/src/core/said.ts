import { h, setAttribute, setText } from './dom';
import { t } from './text';
import { clock } from './units';
import type { Onward } from './view';

const SHOWN_MS = 60_000;

/** What the last action came to, also for a screen reader; it goes by itself, for it is not true for ever. */
export class Said {
  readonly element = h('p', { class: 'tfm-said', role: 'status' });
  private timer: ReturnType<typeof setTimeout> | undefined;

  say(sentence: string, kind: 'note' | 'error' = 'note', onward?: Onward): void {
    setText(this.element, t('{time}: {sentence}', { time: clock(Date.now() / 1000), sentence }));
    if (onward !== undefined) {
      const onclick = (): void => onward.go();
      this.element.append(' ', h('button', { type: 'button', class: 'tfm-small', onclick }, onward.label));
    }
    setAttribute(this.element, 'data-kind', kind);
    clearTimeout(this.timer);
    // What failed stays until something else is said, or another tab is gone to.
    if (kind === 'note') this.timer = setTimeout(() => this.clear(), SHOWN_MS);
  }

  clear(): void {
    clearTimeout(this.timer);
    setText(this.element, '');
  }
}
