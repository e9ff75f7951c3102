import { arrange } from './keyed';
import { h, setAttribute, setText } from './dom';

/** A list of names and values, `<dl>`, that is brought up to date in place. */
export class Facts {
  readonly element = h('dl', { class: 'tfm-facts' });
  private readonly pairs = new Map<string, { pair: HTMLElement; value: HTMLElement }>();

  /** Show these values under these names, in this order. */
  set(facts: readonly (readonly [name: string, value: string, hint?: string])[]): void {
    const wanted = facts.map(([name, text, hint]) => {
      let held = this.pairs.get(name);
      if (held === undefined) {
        const value = h('dd', { dir: 'auto' });
        held = { pair: h('div', {}, h('dt', {}, name), value), value };
        this.pairs.set(name, held);
      }
      setText(held.value, text);
      setAttribute(held.value, 'title', hint ?? null);
      return held.pair;
    });
    arrange(this.element, wanted);
  }
}
