/** Tells whether a value from outside has the shape that is drawn. */
export type Shape = (value: unknown) => boolean;

const MOST = 1_000_000;

export const text: Shape = value => typeof value === 'string' && value.length <= MOST;
export const number: Shape = value => typeof value === 'number' && Number.isFinite(value);
export const integer: Shape = value => Number.isInteger(value);
export const flag: Shape = value => typeof value === 'boolean';

export function known(shape: Shape): Shape {
  return value => value === null || shape(value);
}

/** A field that older kernels do not send. */
export function optional(shape: Shape): Shape {
  return value => value === undefined || shape(value);
}

export function oneOf(...allowed: readonly (string | number)[]): Shape {
  return value => allowed.includes(value as string | number);
}

export function list(shape: Shape): Shape {
  return value => Array.isArray(value) && value.length <= MOST && value.every(item => shape(item));
}

export function dictionary(shape: Shape): Shape {
  return value => isRecord(value) && Object.values(value).every(item => shape(item));
}

/** An object with at least these fields; more are let through, for newer kernels. */
export function record(fields: Record<string, Shape>): Shape {
  const checks = Object.entries(fields);
  return value => isRecord(value) && checks.every(([name, shape]) => shape(value[name]));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
