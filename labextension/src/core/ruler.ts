import { setText, svg } from './dom';

/** Of a usual letter, where nothing can be measured: rather too much than too little. */
const LETTER_WIDTH = 6.6;
const MOST_KNOWN = 2000;

/** How wide words of a chart are, in pixels of the font that they are drawn in. */
export class Ruler {
  /** Has to be within the chart. */
  readonly element = svg('text', { visibility: 'hidden' });
  private readonly known = new Map<string, number>();

  readonly widthOf = (text: string): number => {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    setText(this.element, text);
    const { element }: { element: Partial<SVGTextElement> } = this;
    const measured = element.getComputedTextLength?.() ?? 0;
    // Nothing is measured of what is not shown.
    if (measured === 0) return text.length * LETTER_WIDTH;
    if (this.known.size >= MOST_KNOWN) this.known.clear();
    this.known.set(text, measured);
    return measured;
  };
}
