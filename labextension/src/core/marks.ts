import { cut } from './text';
import { eventWord } from './words';
import { svg } from './dom';
import type { HistoryEvent } from './snapshot';
import type { Scale } from './scale';

const LANE_HEIGHT = 14;
const MOST_LANES = 4;
const LETTER_WIDTH = 5.6;
const LONGEST = 24;

interface Mark {
  x: number;
  text: string;
  /** null: no room for the words; they are in the table. */
  lane: number | null;
  toLeft: boolean;
}

export interface Marks {
  height: number;
  /** How many have no room for their words. */
  unsaid: number;
  draw: (left: number, bottom: number) => SVGElement;
}

/** The events as lines with their words, on as many lanes as it takes for none to cover another. */
export function marks(events: readonly HistoryEvent[], width: number, x: Scale): Marks {
  const ends: number[] = [];
  const placed = [...events]
    .sort((a, b) => a.time_s - b.time_s)
    .map((event): Mark => {
      const text = cut(`${eventWord(event.kind)} ${event.model}`.trim(), LONGEST);
      const at = x(event.time_s);
      const long = text.length * LETTER_WIDTH + 10;
      const toLeft = at + long > width && at - long > 0;
      const start = toLeft ? at - long : at;
      const lane = [...Array(MOST_LANES).keys()].find(candidate => (ends[candidate] ?? -1) <= start) ?? null;
      if (lane !== null) ends[lane] = start + long;
      return { x: at, text, lane, toLeft };
    });
  const height = ends.length * LANE_HEIGHT;
  const unsaid = placed.filter(({ lane }) => lane === null).length;
  return { height, unsaid, draw: (left, bottom) => flags(placed, left, bottom, height) };
}

function flags(placed: readonly Mark[], left: number, bottom: number, height: number): SVGElement {
  const lines: SVGElement[] = [];
  const words: SVGElement[] = [];
  const drawn = new Set<number>();
  for (const { x, text, lane, toLeft } of placed) {
    // One line a pixel: of a thousand events most fall on others.
    if (lane === null && drawn.has(Math.round(x))) continue;
    drawn.add(Math.round(x));
    const top = lane === null ? height : lane * LANE_HEIGHT + 4;
    const at = left + x;
    lines.push(svg('line', { x1: at, x2: at, y1: top, y2: bottom }));
    if (lane === null) continue;
    const anchor = toLeft ? 'end' : 'start';
    words.push(svg('text', { x: at + (toLeft ? -3 : 3), y: top + 9, 'text-anchor': anchor }, text));
  }
  return svg('g', { class: 'tfm-marks' }, ...lines, ...words);
}
