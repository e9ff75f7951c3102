import { expect, it } from 'vitest';
import { history } from '../demo/kernel';
import { Chart } from '../src/core/chart';
import { plot } from '../src/core/series';

const WIDTH = 640;

it('draws thousands of changes and events with no more than its pixels need', () => {
  const to = history.points.at(-1)!.time_s;
  const changes = Array.from({ length: 5000 }, (_, at) => ({
    time_s: to - 500 + at / 10,
    model: `m${at % 1000}`,
    bytes: 1e6 + at
  }));
  const events = changes.map(({ time_s, model }) => ({ time_s, model, kind: 'added' as const }));
  const chart = new Chart(() => undefined);
  chart.draw(plot({ ...history, changes, events }, null, 600)!);
  expect(chart.element.querySelectorAll('.tfm-marks line').length).toBeLessThan(WIDTH + 50);
  for (const path of chart.element.querySelectorAll('.tfm-layer path')) {
    const corners = path.getAttribute('d')!.split('L').length;
    // Two edges, on each two corners for every half pixel.
    expect(corners).toBeLessThan(2 * 2 * 2 * WIDTH);
  }
  expect(chart.element.querySelectorAll('.tfm-layer path').length).toBeGreaterThan(0);
});
