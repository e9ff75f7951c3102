import { Chart } from './chart';
import { DataTable } from './table';
import { freshId, h, setAttribute, setText, show } from './dom';
import { legendColumns, legendRows, type LegendRow } from './legend';
import { plot, type Plot } from './series';
import { t } from './text';
import { bytes, clock } from './units';
import { eventWord } from './words';
import type { Context, View } from './view';
import type { HistoryEvent } from './snapshot';

const REFRESH_MS = 5000;

/** Memory over time: the chart, its figures at any moment as a table, and what happened. */
export class Memory implements View {
  private readonly chart = new Chart(time => {
    this.pointed = time;
    this.drawFigures();
  });
  private readonly window: HTMLSelectElement;
  private readonly slider: HTMLInputElement;
  private readonly moment = h('output', { class: 'tfm-quiet' });
  private readonly figures: DataTable<LegendRow>;
  private readonly events: DataTable<HistoryEvent>;
  private readonly waiting = h('p', { class: 'tfm-quiet' }, t('Waiting for the first figures.'));
  private readonly body: HTMLElement;
  private plot: Plot | null = null;
  private pointed: number | null = null;
  /** The time that the slider was moved to; null is the newest. */
  private chosen: number | null = null;
  private askedMs = -Infinity;
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.window = windowSelect(() => {
      this.update();
    });
    this.slider = h('input', {
      type: 'range',
      min: 0,
      max: 1000,
      value: 1000,
      step: 1,
      'aria-label': t('Point in time')
    });
    this.slider.addEventListener('input', () => {
      const part = Number(this.slider.value) / 1000;
      this.chosen =
        part >= 1 || this.plot === null ? null : this.plot.from + part * (this.plot.to - this.plot.from);
      this.drawFigures();
    });
    this.figures = new DataTable<LegendRow>({
      caption: t('Figures'),
      columns: legendColumns(id => this.chart.sampleOf(id)),
      key: row => row.id,
      empty: ''
    });
    this.events = events();
    const id = freshId('window');
    setAttribute(this.window, 'id', id);
    const controls = h('div', { class: 'tfm-row' }, h('label', { for: id }, t('Show')), this.window);
    const time = h('div', { class: 'tfm-row tfm-moment' }, this.slider, this.moment);
    this.body = h('div', {}, this.chart.element, time, this.figures.element, this.events.element);
    this.element = h('div', { class: 'tfm-memory' }, controls, this.waiting, this.body);
    if (typeof ResizeObserver !== 'undefined') {
      new ResizeObserver(() => {
        this.drawChart();
      }).observe(this.chart.element);
    }
  }

  enter(): void {
    this.ask();
  }

  update(): void {
    if (Date.now() - this.askedMs > REFRESH_MS) this.ask();
    const { history, snapshot } = this.context.store;
    this.plot = history === null ? null : plot(history, snapshot, Number(this.window.value));
    show(this.waiting, this.plot === null);
    show(this.body, this.plot !== null);
    this.drawChart();
    this.events.set([...(history?.events ?? [])].sort((a, b) => b.time_s - a.time_s));
  }

  private ask(): void {
    if (this.context.store.status === 'gone') return;
    this.askedMs = Date.now();
    // An answer that fails to come is asked for again with the next snapshot.
    this.context.store.request('history').catch(() => undefined);
  }

  private drawChart(): void {
    if (this.plot === null) return;
    this.chart.draw(this.plot);
    this.drawFigures();
  }

  private drawFigures(): void {
    const shown = this.plot;
    if (shown === null) return;
    const time = Math.max(shown.from, Math.min(shown.to, this.pointed ?? this.chosen ?? shown.to));
    this.chart.point(time);
    const part = Math.round(((time - shown.from) / (shown.to - shown.from || 1)) * 1000);
    if (this.slider.value !== String(part)) this.slider.value = String(part);
    setText(this.moment, clock(time));
    const rows = legendRows(shown, time);
    setAttribute(
      this.slider,
      'aria-valuetext',
      `${clock(time)}: ${t('process')} ${bytes(rows[0]?.now ?? null)}`
    );
    this.figures.set(rows);
  }
}

function windowSelect(onchange: () => void): HTMLSelectElement {
  const choices: [string, string][] = [
    [String(60), t('the last minute')],
    [String(600), t('the last 10 minutes')],
    ['Infinity', t('everything')]
  ];
  const options = choices.map(([value, label]) => h('option', { value, selected: value === '600' }, label));
  return h('select', { onchange }, ...options);
}

function events(): DataTable<HistoryEvent> {
  return new DataTable<HistoryEvent>({
    caption: t('Events'),
    columns: [
      { id: 'time', title: t('Time'), text: event => clock(event.time_s), sort: event => event.time_s },
      { id: 'kind', title: t('What'), text: event => eventWord(event.kind), sort: event => event.kind },
      { id: 'model', title: t('Model'), code: true, text: event => event.model, sort: event => event.model }
    ],
    key: event => `${event.time_s} ${event.kind} ${event.model}`,
    search: event => `${eventWord(event.kind)} ${event.model}`,
    empty: t('No model was added, parked or dropped yet.')
  });
}
