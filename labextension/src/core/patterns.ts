import { svg } from './dom';

/** The hatchings of the layers: they tell models apart where colours do not. */
const HATCHINGS = [
  'M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4',
  'M-2,6 l4,4 M0,0 l8,8 M6,-2 l4,4',
  'M0,4 h8',
  'M4,0 v8',
  'M0,4 h8 M4,0 v8'
];
/** The dashes of the devices' lines. */
export const DASHES = ['6 3', '2 2', '8 3 2 3', '12 4'];

export function patterns(prefix: string): SVGElement {
  const definitions = svg('defs');
  HATCHINGS.forEach((path, index) => {
    const tile = { id: patternId(prefix, index), width: 8, height: 8, patternUnits: 'userSpaceOnUse' };
    definitions.append(svg('pattern', { ...tile, class: layerClass(index) }, svg('path', { d: path })));
  });
  return definitions;
}

export function patternId(prefix: string, index: number): string {
  return `${prefix}-${index % HATCHINGS.length}`;
}

export function layerClass(index: number): string {
  return `tfm-layer tfm-layer-${index % (HATCHINGS.length + 1)}`;
}

/** The area of one layer: a tint, and its hatching over it. The layer of the rest has the tint alone. */
export function area(path: string, index: number, prefix: string): SVGElement {
  const group = svg('g', { class: layerClass(index) }, svg('path', { class: 'tfm-tint', d: path }));
  if (index < HATCHINGS.length)
    group.append(svg('path', { d: path, fill: `url(#${patternId(prefix, index)})`, stroke: 'none' }));
  return group;
}

/** A bit of a line or layer, for the table that names them: `process`, `device 1`, `layer 2`. */
export function sample(id: string, prefix: string): SVGElement {
  const picture = svg('svg', { class: 'tfm-sample', width: 28, height: 12, 'aria-hidden': 'true' });
  const [kind, number] = id.split(' ');
  if (kind === 'layer') picture.append(area('M1,1 H27 V11 H1 Z', Number(number), prefix));
  else picture.append(stroke('M0,6 H28', kind ?? '', Number(number ?? 0)));
  return picture;
}

/** A line with its pen. */
export function stroke(path: string, pen: string, index: number): SVGElement {
  const dash = pen === 'device' ? (DASHES[index % DASHES.length] ?? null) : null;
  return svg('path', { d: path, class: `tfm-pen tfm-pen-${pen}`, 'stroke-dasharray': dash });
}
