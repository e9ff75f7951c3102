import { area, stroke } from './patterns';
import { svg } from './dom';
import type { Line, Plot } from './series';
import type { Scale } from './scale';
import type { Stack } from './stack';

/** The layers of the models, and over them the lines of everything else. */
export function ink(plot: Plot, prefix: string, x: Scale, y: Scale, highest: number): SVGElement {
  const group = svg('g');
  const labels: SVGElement[] = [];
  layers(plot.stack, prefix, x, y).forEach(layer => {
    group.append(layer);
  });
  let devices = 0;
  for (const line of plot.lines) {
    const values = line.pen === 'limit' ? (line.values[0] ?? 0) : 0;
    if (values > highest || line.times.length === 0) continue;
    const way =
      line.pen === 'models' ? `M${steps(line.times, line.values, x, y).join('L')}` : path(line, x, y);
    group.append(stroke(way, line.pen, devices));
    if (line.pen === 'device') devices += 1;
    if (line.pen === 'limit') {
      const at = { x: x(plot.to) - 4, y: y(values) - 4, 'text-anchor': 'end', class: 'tfm-limit-label' };
      labels.push(svg('text', at, line.label));
    }
  }
  group.append(...labels);
  return group;
}

/** Of many changes in one pixel the last is drawn: thousands of corners would cost a redraw its smoothness. */
function layers(stack: Stack, prefix: string, x: Scale, y: Scale): SVGElement[] {
  const pixels = stack.times.map(time => Math.round(x(time) * 2));
  const kept = [...pixels.keys()].filter(at => at === 0 || pixels[at] !== pixels[at + 1]);
  const times = kept.map(at => stack.times[at] ?? 0);
  let below = times.map(() => 0);
  return stack.layers.map((layer, index) => {
    const floor = below;
    below = floor.map((base, at) => base + (layer.values[kept[at] ?? 0] ?? 0));
    const upper = steps(times, below, x, y);
    const lower = steps(times, floor, x, y).reverse();
    return area(`M${[...upper, ...lower].join('L')}Z`, index, prefix);
  });
}

/** The corners of a line that keeps each value until the next time. */
function steps(times: number[], values: number[], x: Scale, y: Scale): string[] {
  return times.flatMap((time, index) => {
    const here = corner(x(time), y(values[index] ?? 0));
    return index === 0 ? [here] : [corner(x(time), y(values[index - 1] ?? 0)), here];
  });
}

/** A line's path; many points in one pixel become its lowest and highest. */
function path({ times, values }: Line, x: Scale, y: Scale): string {
  const corners: string[] = [];
  let pixel = NaN;
  let low = Infinity;
  let high = -Infinity;
  const flush = (): void => {
    if (Number.isNaN(pixel)) return;
    corners.push(corner(pixel, y(high)));
    if (low !== high) corners.push(corner(pixel, y(low)));
    low = Infinity;
    high = -Infinity;
  };
  times.forEach((time, index) => {
    const at = Math.round(x(time) * 2) / 2;
    if (at !== pixel) flush();
    pixel = at;
    low = Math.min(low, values[index] ?? 0);
    high = Math.max(high, values[index] ?? 0);
  });
  flush();
  return corners.length === 0 ? '' : `M${corners.join('L')}`;
}

function corner(x: number, y: number): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}
