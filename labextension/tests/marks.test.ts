import { expect, it } from 'vitest';
import { marks } from '../src/core/marks';
import { dice } from './spoil';
import type { HistoryEvent } from '../src/core/snapshot';

const WIDTH = 500;
const BOTTOM = 200;
const LANE = 14;

// A font of letters of many widths, and none as wide as another's usual one.
const widthOf = (text: string): number =>
  Array.from(text).reduce((sum, letter) => sum + 4 + (letter.charCodeAt(0) % 7), 0);

const of = (events: HistoryEvent[]) => marks(events, WIDTH, time => time, widthOf);

function drawn(events: HistoryEvent[]) {
  const group = of(events).draw(0, BOTTOM);
  const number = (element: Element, name: string): number => Number(element.getAttribute(name));
  const lines = [...group.querySelectorAll('line')].map(line => ({
    x: number(line, 'x1'),
    top: number(line, 'y1')
  }));
  const words = [...group.querySelectorAll('text')].map(text => {
    const [x, long] = [number(text, 'x'), widthOf(text.textContent)];
    const left = text.getAttribute('text-anchor') === 'end' ? x - long : x;
    return {
      text: text.textContent,
      left,
      right: left + long,
      lane: Math.round((number(text, 'y') - 13) / LANE)
    };
  });
  return { lines, words };
}

it('are never written over each other, nor out of the chart, and no line goes through words', () => {
  const random = dice(7);
  let most = 0;
  for (let round = 0; round < 300; round += 1) {
    const events = Array.from({ length: Math.floor(random() * 40) }, () => ({
      time_s: random() * WIDTH,
      model: 'wilm_7'.repeat(1 + Math.floor(random() * 5)),
      kind: 'added' as const
    }));
    const { lines, words } = drawn(events);
    expect(words.length + of(events).unsaid).toBe(events.length);
    most = Math.max(most, words.length);
    for (const one of words) {
      expect(one.left).toBeGreaterThanOrEqual(0);
      expect(one.right).toBeLessThanOrEqual(WIDTH);
      for (const other of words)
        if (other !== one && other.lane === one.lane)
          expect(one.right <= other.left || other.right <= one.left).toBe(true);
      const bottom = (one.lane + 1) * LANE;
      expect(lines.filter(({ x, top }) => x > one.left && x < one.right && top < bottom)).toEqual([]);
    }
  }
  expect(most).toBeGreaterThan(6);
});

it('of models that come one soon after the other are written on a stair, and those without room left out', () => {
  const at = [10, 20, 30, 40, 50, 300, 490];
  const { lines, words } = drawn(
    at.map((time_s, number) => ({ time_s, model: `m${number}`, kind: 'added' }))
  );
  expect(words.map(({ text, lane }) => [text, lane])).toEqual([
    ['added m0', 0],
    ['added m1', 1],
    ['added m2', 2],
    ['added m3', 3],
    ['added m5', 0],
    ['added m6', 0]
  ]);
  expect(lines).toHaveLength(at.length);
});
