import { h, setText } from './dom';

const TAIL = 14;
/** Other text is not cut in two: its order on the page may be another than in memory. */
const SIMPLE = /^[\x20-\x7e]*$/;

/** Text that is cut at its end where there is no room for it. */
export class Plain {
  readonly element = h('span', { class: 'tfm-text', dir: 'auto' });

  set(text: string): void {
    setText(this.element, text);
  }
}

/** A name or path: where there is no room it is cut in the middle, for its end tells it from its like. */
export class Name {
  private readonly head = h('span', { class: 'tfm-text' });
  private readonly tail = h('span', { class: 'tfm-tail' });
  readonly element = h('span', { class: 'tfm-name tfm-code', dir: 'auto' }, this.head, this.tail);

  set(text: string): void {
    const at = text.length > 2 * TAIL && SIMPLE.test(text) ? text.length - TAIL : text.length;
    setText(this.head, text.slice(0, at));
    setText(this.tail, text.slice(at));
  }
}
