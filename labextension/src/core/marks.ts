import { cut } from './text';
import { eventWord } from './words';
import { svg } from './dom';
import type { HistoryEvent } from './snapshot';
import type { Scale } from './scale';

const LANE_HEIGHT = 14;
const MOST_LANES = 4;
const LONGEST = 24;
const GAP = 3;

interface Mark {
  x: number;
  text: string;
  /** null: no room for the words; they are in the table. */
  place: Place | null;
}

interface Place {
  lane: number;
  toLeft: boolean;
}

export interface Marks {
  height: number;
  /** How many have no room for their words. */
  unsaid: number;
  draw: (left: number, bottom: number) => SVGElement;
}

/** The events as lines with their words, on lanes: no words are over others, and no line goes through any. */
export function marks(
  events: readonly HistoryEvent[],
  width: number,
  x: Scale,
  widthOf: (text: string) => number
): Marks {
  const lanes = new Lanes(width);
  const placed = [...events]
    .sort((a, b) => a.time_s - b.time_s)
    .map((event): Mark => {
      const text = cut(`${eventWord(event.kind)} ${event.model}`.trim(), LONGEST);
      const at = x(event.time_s);
      return { x: at, text, place: lanes.take(at, () => widthOf(text) + 2 * GAP) };
    });
  const height = lanes.used * LANE_HEIGHT;
  const unsaid = placed.filter(({ place }) => place === null).length;
  return { height, unsaid, draw: (left, bottom) => flags(placed, left, bottom, height) };
}

/** Where words are already, event by event from left to right. Each event's line goes down from its own lane. */
class Lanes {
  /** Up to where the words of each lane go. */
  private readonly ends = Array<number>(MOST_LANES).fill(-Infinity);
  /** Where the last line goes down from each lane. */
  private readonly lines = Array<number>(MOST_LANES).fill(-Infinity);
  used = 0;

  constructor(private readonly width: number) {}

  take(at: number, length: () => number): Place | null {
    // Through the words of the lanes below it would go.
    const first = this.ends.map(end => end > at).lastIndexOf(true) + 1;
    if (first === MOST_LANES) return null;
    const long = length();
    if (at + long <= this.width) return this.mark({ lane: first, toLeft: false }, at, at + long);
    const start = at - long;
    if (start < 0) return null;
    for (let lane = first; lane < MOST_LANES; lane += 1) {
      const crossed = this.lines.slice(0, lane).some(line => line > start);
      if (!crossed && (this.ends[lane] ?? 0) <= start) return this.mark({ lane, toLeft: true }, at, at);
    }
    return null;
  }

  private mark(place: Place, at: number, end: number): Place {
    this.ends[place.lane] = end;
    this.lines[place.lane] = at;
    this.used = Math.max(this.used, place.lane + 1);
    return place;
  }
}

function flags(placed: readonly Mark[], left: number, bottom: number, height: number): SVGElement {
  const lines: SVGElement[] = [];
  const words: SVGElement[] = [];
  const drawn = new Set<number>();
  for (const { x, text, place } of placed) {
    // One line a pixel: of a thousand events most fall on others.
    if (place === null && drawn.has(Math.round(x))) continue;
    drawn.add(Math.round(x));
    // Its words are there, or it begins below those of the others.
    const top = (place === null ? height : place.lane * LANE_HEIGHT) + 4;
    const at = left + x;
    lines.push(svg('line', { x1: at, x2: at, y1: top, y2: bottom }));
    if (place === null) continue;
    const [beside, anchor] = place.toLeft ? [-GAP, 'end'] : [GAP, 'start'];
    words.push(svg('text', { x: at + beside, y: top + 9, 'text-anchor': anchor }, text));
  }
  return svg('g', { class: 'tfm-marks' }, ...lines, ...words);
}
