import { describe, expect, it } from 'vitest';
import { indexAt, stacked } from '../src/core/stack';
import { scale, sizeTicks, timeTicks } from '../src/core/scale';
import { marks } from '../src/core/marks';
import { plot } from '../src/core/series';
import type { History } from '../src/core/snapshot';

const change = (time_s: number, model: string, bytes: number): History['changes'][number] => ({
  time_s,
  model,
  bytes
});

describe('the layers', () => {
  it('hold each model’s bytes from each change on, also what was there before the window', () => {
    const changes = [change(1, 'a', 10), change(5, 'b', 20), change(7, 'a', 0), change(99, 'c', 1)];
    const stack = stacked({ schema: 1, points: [], events: [], changes }, 4, 10);
    expect(stack.times).toEqual([4, 5, 7, 10]);
    expect(stack.layers).toEqual([
      { model: 'b', values: [0, 20, 20, 20] },
      { model: 'a', values: [10, 10, 0, 0] }
    ]);
  });

  it('put all but the largest models into one', () => {
    const changes = Array.from({ length: 1000 }, (_, index) => change(1, `m${index}`, index));
    const { layers } = stacked({ schema: 1, points: [], events: [], changes }, 0, 2);
    expect(layers.map(({ model }) => model)).toEqual(['m999', 'm998', 'm997', 'm996', 'm995', null]);
    const sum = layers.reduce((total, { values }) => total + values.at(-1)!, 0);
    expect(sum).toBe(499_500);
  });
});

describe('the chart', () => {
  it('has round ticks that reach over the highest value', () => {
    expect(sizeTicks(2.3e9, 5)).toEqual([0, 5e8, 1e9, 1.5e9, 2e9, 2.5e9]);
    expect(sizeTicks(0, 5)[0]).toBe(0);
    expect(timeTicks(3, 62, 6)).toEqual([10, 20, 30, 40, 50, 60]);
    expect(scale(0, 10, 100, 0)(5)).toBe(50);
    expect(indexAt([1, 2, 3], 2.5)).toBe(1);
  });

  it('shows the chosen window, and a device only where it is known', () => {
    const points = [0, 50, 100].map(time_s => ({
      time_s,
      rss_bytes: time_s,
      models_bytes: 1,
      devices: time_s === 100 ? { 'GPU:0': 7 } : {}
    }));
    const held: History = {
      schema: 1,
      points,
      changes: [],
      events: [{ time_s: 10, kind: 'added', model: 'a' }]
    };
    const window = plot(held, null, 60)!;
    expect(window.lines.map(({ id, values }) => [id, values])).toEqual([
      ['process', [50, 100]],
      ['models', [1, 1]],
      ['device GPU:0', [7]]
    ]);
    expect(window.events).toEqual([]);
    expect(plot(held, null, Infinity)!.events).toHaveLength(1);
    expect(plot({ ...held, points: [] }, null, 60)).toBeNull();
  });

  it('writes no event over another', () => {
    const events = [10, 11, 12, 500].map(time_s => ({ time_s, kind: 'added' as const, model: 'some_model' }));
    const placed = marks(
      events,
      600,
      time => time,
      ({ length }) => 6 * length
    );
    const drawn = placed.draw(0, 200).querySelectorAll('text');
    const tops = Array.from(drawn, text => text.getAttribute('y'));
    expect(tops).toHaveLength(4);
    expect(new Set(tops.slice(0, 3)).size).toBe(3);
    expect(tops[3]).toBe(tops[0]);
  });

  it('draws no event through the words of another', () => {
    const events = [10, 60, 110].map(time_s => ({ time_s, kind: 'added' as const, model: 'some_model' }));
    const drawn = Array.from(
      marks(
        events,
        600,
        time => time,
        ({ length }) => 6 * length
      ).draw(0, 200).children,
      child => child.tagName
    );
    expect(drawn).toEqual(['line', 'line', 'line', 'text', 'text', 'text']);
  });
});
