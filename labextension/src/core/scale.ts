import { theUnits, unitStep, type Units } from './units';

/** Maps values onto pixels: `from` lands on `start`, `to` on `end`. */
export type Scale = (value: number) => number;

export function scale(from: number, to: number, start: number, end: number): Scale {
  const span = to - from || 1;
  return value => start + ((value - from) / span) * (end - start);
}

const FACTORS: Record<Units, readonly number[]> = {
  decimal: [1, 2, 5, 10, 20, 50, 100, 200, 500],
  binary: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
};

/** Sizes that are round in the units that are set, from 0 to at least `most`, at most `wanted` + 1 of them. */
export function sizeTicks(most: number, wanted: number): number[] {
  const rough = Math.max(most, 1) / wanted;
  let unit = 1;
  while (unit * unitStep() <= rough) unit *= unitStep();
  const step = (FACTORS[theUnits()].find(factor => factor * unit >= rough) ?? unitStep()) * unit;
  const steps = Math.ceil(most / step - 1e-9);
  return Array.from({ length: Math.max(1, steps) + 1 }, (_, index) => index * step);
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** Round times of day between two, at most `wanted` of them. */
export function timeTicks(from: number, to: number, wanted: number): number[] {
  const step = TIME_STEPS.find(candidate => (to - from) / candidate <= wanted) ?? 86400 * 7;
  const first = Math.ceil(from / step) * step;
  return Array.from(
    { length: Math.max(0, Math.floor((to - first) / step) + 1) },
    (_, index) => first + index * step
  );
}
