import { h, setText } from './dom';
import { valueAt, type Plot } from './series';
import { t } from './text';
import { bytes } from './units';
import type { Column } from './column';

/** A line or layer of the chart with its figures. */
export interface LegendRow {
  id: string;
  label: string;
  sample: string;
  now: number | null;
  lowest: number | null;
  highest: number | null;
}

/** The columns of the table that stands for the chart where it cannot be seen. */
export function legendColumns(sampleOf: (id: string) => SVGElement): Column<LegendRow>[] {
  return [
    { id: 'line', title: t('Line'), text: row => row.label, draw: row => name(row, sampleOf) },
    { id: 'now', title: t('Then'), numeric: true, text: row => bytes(row.now) },
    { id: 'lowest', title: t('Lowest seen'), numeric: true, text: row => bytes(row.lowest) },
    { id: 'highest', title: t('Highest seen'), numeric: true, text: row => bytes(row.highest) }
  ];
}

/** The figures of every line and layer, at a time and over the whole plot. */
export function legendRows(plot: Plot, time: number): LegendRow[] {
  let devices = 0;
  const lines = plot.lines.map(line => {
    const sample = line.pen === 'device' ? `device ${devices++}` : line.pen;
    return row(line.id, line.label, sample, line.values, valueAt(line, time));
  });
  const { times, layers } = plot.stack;
  const models = layers.map(({ model, values }, index) => {
    const label = model ?? t('the other models');
    return row(`layer ${model ?? ''}`, label, `layer ${index}`, values, valueAt({ times, values }, time));
  });
  return [...lines, ...models];
}

function row(id: string, label: string, sample: string, values: number[], now: number | null): LegendRow {
  const lowest = values.reduce((low, value) => Math.min(low, value), Infinity);
  const highest = values.reduce((high, value) => Math.max(high, value), -Infinity);
  const some = values.length > 0;
  return {
    id: `${id} ${sample}`,
    label,
    sample,
    now,
    lowest: some ? lowest : null,
    highest: some ? highest : null
  };
}

function name(
  row: LegendRow,
  sampleOf: (id: string) => SVGElement
): { element: HTMLElement; update: (row: LegendRow) => void } {
  const label = h('span', { class: 'tfm-text', dir: 'auto' });
  const element = h('span', { class: 'tfm-legend' });
  element.append(sampleOf(row.sample), label);
  return {
    element,
    update: now => {
      setText(label, now.label);
      label.title = now.label.slice(0, 1000);
    }
  };
}
