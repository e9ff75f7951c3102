import { Actions } from './actions';
import { arrange } from './keyed';
import { bytes, share, span } from './units';
import { Gauge } from './gauge';
import { focusedIn, h, setAttribute, setText, show, svg } from './dom';
import { section } from './section';
import { heldNow, stateWord } from './words';
import { t, tn } from './text';
import type { Context, View } from './view';
import type { History, ModelRow, Snapshot } from './snapshot';

const WIDTH = 240;
const HEIGHT = 36;
const SPARK_S = 600;
/** More stand in the whole panel, which has a search. */
const MOST = 50;

/** The kernel at a glance, for a narrow place: memory, models with their buttons, devices. */
export class Compact implements View {
  private readonly size = h('p', { class: 'tfm-figure' });
  private readonly line = svg('polyline', { class: 'tfm-spark-line' });
  private readonly about = svg('title');
  private readonly spark = svg(
    'svg',
    { class: 'tfm-spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' },
    this.about,
    this.line
  );
  private readonly range = h('p', { class: 'tfm-quiet tfm-spark-range', 'aria-hidden': 'true' });
  private readonly limit = new Gauge(t('Memory used of the limit'));
  private readonly list = h('ul', { class: 'tfm-compact-models' });
  private readonly none = h('p', { class: 'tfm-quiet' });
  private readonly items = new Map<string, Item>();
  private readonly models = section(t('Models'), this.list, this.none);
  private readonly devices = h('p');
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.models.tabIndex = -1;
    this.element = h(
      'div',
      { class: 'tfm-compact' },
      section(t('Memory of the process'), this.size, this.spark, this.range, this.limit.element),
      this.models,
      section(t('Devices'), this.devices)
    );
  }

  update(): void {
    const { snapshot, history } = this.context.store;
    if (snapshot === null) return;
    this.drawMemory(snapshot);
    this.drawSpark(history);
    this.drawModels(snapshot.models);
    setText(
      this.devices,
      snapshot.devices.length === 0
        ? t('TensorFlow lists its devices when the first model comes.')
        : snapshot.devices.map(({ name }) => name).join(', ')
    );
  }

  private drawMemory({ process }: Snapshot): void {
    setText(this.size, bytes(process.rss_bytes));
    const { limit_bytes: most } = process;
    const used = process.limit_used_bytes ?? process.rss_bytes;
    this.limit.set(
      most === null ? null : used / most,
      most === null
        ? t('{free} available on this machine', { free: bytes(process.available_bytes) })
        : t('{used} of {limit} ({share})', {
            used: bytes(used),
            limit: bytes(most),
            share: share(used / most)
          })
    );
  }

  private drawSpark(history: History | null): void {
    const points = history?.points ?? [];
    const to = points.at(-1)?.time_s ?? 0;
    const inside = points.filter(point => point.time_s >= to - SPARK_S);
    const sizes = inside.map(point => point.rss_bytes);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    const from = inside[0]?.time_s ?? to;
    const seen = inside.length > 1 && to > from;
    setAttribute(this.spark, 'hidden', !seen);
    show(this.range, seen);
    if (!seen) return;
    // From zero on: what looks like twice as much is.
    const corners = inside.map(({ time_s, rss_bytes }) => {
      const x = ((time_s - from) / (to - from)) * WIDTH;
      return `${x.toFixed(1)},${(HEIGHT - 2 - (rss_bytes / (most || 1)) * (HEIGHT - 4)).toFixed(1)}`;
    });
    setAttribute(this.line, 'points', corners.join(' '));
    // It has no axes: what they would say stands below it, and is read aloud.
    const figures = { time: span(to - from), least: bytes(least), most: bytes(most) };
    setText(this.range, t('{least} to {most} in {time}', figures));
    const about = t('Memory of the process in the last {time}: lowest {least}, highest {most}', figures);
    setText(this.about, about);
    setAttribute(this.spark, 'aria-label', about);
  }

  private drawModels(models: readonly ModelRow[]): void {
    const shown = models.slice(0, MOST);
    const names = new Set(shown.map(({ name }) => name));
    for (const name of [...this.items.keys()]) if (!names.has(name)) this.items.delete(name);
    const elements = shown.map(model => {
      let item = this.items.get(model.name);
      if (item === undefined) this.items.set(model.name, (item = new Item(model, this.context)));
      item.update(model);
      return item.element;
    });
    const hadFocus = focusedIn(this.list) !== null;
    arrange(this.list, elements);
    // The focused model has gone: the person is still among the models, not at the top of the page.
    if (hadFocus && focusedIn(this.list) === null) this.models.focus({ preventScroll: true });
    const more = models.length - shown.length;
    show(this.none, models.length === 0 || more > 0);
    setText(
      this.none,
      models.length === 0
        ? t('No model yet. In a cell: %tf_model add NAME SOURCE')
        : tn('{n} more is in the whole panel', '{n} more are in the whole panel', more)
    );
  }
}

/** What a model holds; of a parked one what it will hold again. */
function sizeNow(model: ModelRow): string {
  const { state, size_bytes } = model;
  if (state !== 'parked' || size_bytes === null) return heldNow(model);
  return t('{size} when it wakes', { size: bytes(size_bytes) });
}

/** One model: its name and state, what it holds, and its buttons. */
class Item {
  private readonly state = h('span', { class: 'tfm-state' });
  private readonly figures = h('span', { class: 'tfm-quiet tfm-compact-figures' });
  private readonly error = h('span', { class: 'tfm-text tfm-error', dir: 'auto' });
  private readonly actions: Actions;
  readonly element: HTMLElement;

  constructor(model: ModelRow, context: Context) {
    this.actions = new Actions(model, context);
    const name = h('strong', { class: 'tfm-text', dir: 'auto', title: model.name }, model.name);
    const head = h('div', { class: 'tfm-row' }, name, this.state, this.figures);
    this.element = h('li', { 'data-model': model.name }, head, this.error, this.actions.element);
  }

  update(model: ModelRow): void {
    setText(this.state, stateWord(model.state));
    this.state.dataset.state = model.state;
    setText(
      this.figures,
      t('{size}, {calls}', {
        size: sizeNow(model),
        calls: tn('{n} call', '{n} calls', model.calls)
      })
    );
    show(this.error, model.last_error !== null);
    setText(this.error, model.last_error ?? '');
    this.actions.update(model);
  }
}
