import { h, setAttribute, setText, show } from './dom';

/** How much of a limit is used: a native meter that says so in words as well. */
export class Gauge {
  private readonly meter: HTMLMeterElement;
  private readonly words = h('span', { class: 'tfm-quiet' });
  readonly element: HTMLElement;

  constructor(label: string) {
    this.meter = h('meter', { min: 0, max: 1, low: 0.75, high: 0.9, optimum: 0, 'aria-label': label });
    this.element = h('div', { class: 'tfm-gauge' }, this.meter, this.words);
  }

  /** Show `part` of one; null where there is no limit to be a part of. */
  set(part: number | null, words: string): void {
    show(this.meter, part !== null);
    if (part !== null) setAttribute(this.meter, 'value', Math.min(1, Math.max(0, part)).toFixed(4));
    setAttribute(this.meter, 'aria-valuetext', words);
    setText(this.words, words);
  }
}
