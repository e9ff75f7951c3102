import { describe, expect, it } from 'vitest';
import { Merged } from '../src/core/merge';

const message = (names: string[], ...changed: [string, number][]): Record<string, unknown> => ({
  kind: 'snapshot',
  names,
  snapshot: { seq: 1, models: changed.map(([name, calls]) => ({ name, calls })) }
});

const models = (whole: unknown): unknown => (whole as { models: unknown }).models;

describe('a snapshot that brings only what has changed', () => {
  it('is put together with what came before, in the order of the names', () => {
    const merged = new Merged();
    merged.take(message(['a', 'b'], ['a', 1], ['b', 1]));
    expect(models(merged.take(message(['b', 'a'], ['a', 2])))).toEqual([
      { name: 'b', calls: 1 },
      { name: 'a', calls: 2 }
    ]);
  });

  it('is none where a row was lost on the way', () => {
    expect(new Merged().take(message(['a', 'b'], ['a', 1]))).toBeNull();
  });

  it('forgets what was dropped', () => {
    const merged = new Merged();
    merged.take(message(['a'], ['a', 1]));
    merged.take(message([]));
    expect(merged.take(message(['a']))).toBeNull();
  });

  it('is left as it is where it is none', () => {
    expect(new Merged().take({ kind: 'snapshot', snapshot: 5, names: ['a'] })).toBe(5);
  });
});
