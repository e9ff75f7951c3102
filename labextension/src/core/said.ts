import { focusedIn, h, setAttribute, setText, show } from './dom';
import { t } from './text';
import { clock } from './units';
import type { Onward } from './view';

const SHOWN_MS = 60_000;

/** What the last action came to, also for a screen reader, with a button that takes it away. */
export class Said {
  private readonly words = h('p', { class: 'tfm-said', role: 'status' });
  private readonly close: HTMLButtonElement;
  private timer: ReturnType<typeof setTimeout> | undefined;
  readonly element: HTMLElement;

  /** Call `dismissed` where a person has taken it away, and the focus with it. */
  constructor(dismissed: () => void) {
    const label = t('Dismiss this message');
    const onclick = (): void => {
      this.clear();
      dismissed();
    };
    const properties = { type: 'button', class: 'tfm-small', 'aria-label': label, title: label };
    this.close = h('button', { ...properties, hidden: true, onclick }, '×');
    this.element = h('div', { class: 'tfm-say' }, this.words, this.close);
  }

  say(sentence: string, kind: 'note' | 'error' = 'note', onward?: Onward): void {
    setText(this.words, t('{time}: {sentence}', { time: clock(Date.now() / 1000), sentence }));
    if (onward !== undefined) {
      const onclick = (): void => onward.go();
      this.words.append(' ', h('button', { type: 'button', class: 'tfm-small', onclick }, onward.label));
    }
    setAttribute(this.words, 'data-kind', kind);
    show(this.close, true);
    clearTimeout(this.timer);
    // What failed stays until something else is said, or another tab is gone to; so does what says what to do,
    // which comes in lines of its own or with a button. The rest goes by itself: it is not true for ever.
    if (kind === 'note' && onward === undefined && !sentence.includes('\n')) this.goLater();
  }

  clear(): void {
    clearTimeout(this.timer);
    setText(this.words, '');
    show(this.close, false);
  }

  private goLater(): void {
    this.timer = setTimeout(() => {
      // Under a person's finger nothing goes.
      if (focusedIn(this.element) === null) this.clear();
      else this.goLater();
    }, SHOWN_MS);
  }
}
