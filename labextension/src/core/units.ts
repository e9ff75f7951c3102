import { t, tn } from './text';
import type { End } from './snapshot';

/** Whether sizes are written in powers of ten (`26.6 MB`) or of two (`25.4 MiB`). */
export type Units = 'decimal' | 'binary';

const NAMES: Record<Units, readonly string[]> = {
  decimal: ['kB', 'MB', 'GB', 'TB'],
  binary: ['KiB', 'MiB', 'GiB', 'TiB']
};
// As the kernel's own texts have it.
let units: Units = 'decimal';

/** Write every size in these from now on. */
export function setUnits(chosen: Units): void {
  units = chosen;
}

export function theUnits(): Units {
  return units;
}

/** How many of a unit make one of the next. */
export function unitStep(): number {
  return units === 'decimal' ? 1000 : 1024;
}

/** A size in the units that are set: `26.6 MB`. */
export function bytes(count: number | null): string {
  if (count === null) return unknown();
  let size = Math.abs(count);
  let unit = 'B';
  for (const larger of NAMES[units]) {
    if (size < unitStep() - 0.5) break;
    size /= unitStep();
    unit = larger;
  }
  return `${count < 0 ? '−' : ''}${digits(size)} ${unit}`;
}

/** A duration: `1.2 ms`; a dash where there was none yet. */
export function seconds(duration: number | null): string {
  if (duration === null) return '–';
  if (duration >= 1) return `${digits(duration)} s`;
  if (duration >= 1e-3) return `${digits(duration * 1e3)} ms`;
  return `${digits(duration * 1e6)} µs`;
}

/** How long ago or how long already, in the unit that a person would name. */
export function span(duration: number): string {
  const whole = Math.max(0, Math.round(duration));
  if (whole < 60) return tn('{n} second', '{n} seconds', whole);
  if (whole < 3600) return tn('{n} minute', '{n} minutes', Math.floor(whole / 60));
  if (whole < 172800) return tn('{n} hour', '{n} hours', Math.floor(whole / 3600));
  return tn('{n} days', '{n} days', Math.floor(whole / 86400));
}

/** A share of one: `12 %`, and `<0.1 %` for what is not nothing. */
export function share(part: number | null): string {
  if (part === null) return unknown();
  const percent = part * 100;
  if (percent > 0 && percent < 0.1) return '<0.1 %';
  return `${percent < 10 ? Number(percent.toFixed(1)).toString() : Math.round(percent).toLocaleString('en')} %`;
}

export function count(number: number | null): string {
  return number === null ? unknown() : number.toLocaleString('en');
}

/** The time of day, by this page's clock and zone. */
export function clock(time_s: number): string {
  return new Date(time_s * 1000).toLocaleTimeString('en-GB');
}

/** An input or output as Python would note it: `x: float32[?, 28, 28]`. */
export function end({ name, dtype, shape, optional }: End): string {
  const type = dtype ?? t('any type');
  const mark = optional ? '?' : '';
  return `${name}${mark}: ${type}${dimensions(shape)}`;
}

export function dimensions(shape: (number | null)[] | null): string {
  return shape === null ? '[…]' : `[${shape.map(size => size ?? '?').join(', ')}]`;
}

export function unknown(): string {
  return t('unknown');
}

function digits(size: number): string {
  return size < 999.5 ? Number(size.toPrecision(3)).toString() : size.toFixed(0);
}
