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

function narrow(from: number): HTMLElement {
  const chart = new Chart(() => undefined);
  Object.defineProperty(chart.element, 'clientWidth', { value: 200 });
  const points = Array.from({ length: 59 }, (_, at) => ({ ...history.points[0]!, time_s: from + at * 10 }));
  const events = Array.from({ length: 7 }, (_, at) => ({
    time_s: from + 60 * at,
    model: `m${at}`,
    kind: 'added' as const
  }));
  chart.draw(plot({ ...history, points, events }, null, 600)!);
  return chart.element;
}

it('says how many events have no room for their words', () => {
  const element = narrow(1_800_000_000);
  const words = element.querySelectorAll('.tfm-marks text').length;
  expect(words).toBeLessThan(7);
  expect(element.textContent).toContain(`${7 - words} events have no room for their words here`);
  expect(element.querySelectorAll('.tfm-marks line')).toHaveLength(7);
});

it('names a time also where there is room for one only, and none is round', () => {
  // Between two round ones, ten minutes apart.
  const times = [...narrow(1_800_000_010).querySelectorAll('.tfm-grid text')]
    .map(({ textContent }) => textContent)
    .filter(text => text.includes(':'));
  expect(times).toHaveLength(1);
});
