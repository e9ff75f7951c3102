/** The same numbers in every run: a failure can be looked at again. */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const ODD: unknown[] = [
  null,
  undefined,
  NaN,
  Infinity,
  -1,
  1e300,
  '',
  '<b>',
  [],
  {},
  true,
  [null],
  { schema: 1 },
  'x'.repeat(5000)
];

/** A message with one thing in it changed, taken away, or put where it does not belong. */
export function spoilt(value: unknown, roll: () => number): unknown {
  if (typeof value !== 'object' || value === null || roll() < 0.15)
    return ODD[Math.floor(roll() * ODD.length)];
  const keys = Object.keys(value);
  const key = keys[Math.floor(roll() * keys.length)];
  if (key === undefined) return ODD[Math.floor(roll() * ODD.length)];
  const held = value as Record<string, unknown>;
  const copy: Record<string, unknown> = Array.isArray(value) ? (value.slice() as never) : { ...held };
  copy[key] = spoilt(held[key], roll);
  return copy;
}
