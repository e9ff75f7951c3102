import { DemoModel, history, log, snapshot } from './kernel';

// The files were written for one moment; the page shows them as of now.
const shift = Date.now() / 1000 - snapshot.time_s;

function moved<Value>(value: Value): Value {
  if (Array.isArray(value)) return value.map(item => moved<unknown>(item)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  const pairs = Object.entries(value).map(([name, held]: [string, unknown]) => {
    const isTime = ['time_s', 'started_s', 'cell_since_s', 'first_s', 'last_s'].includes(name);
    return [name, isTime && typeof held === 'number' ? held + shift : moved(held)];
  });
  return Object.fromEntries(pairs) as Value;
}

interface Widget {
  render(view: { model: DemoModel; el: HTMLElement }): void;
}

/** Show the built panel over the demo's kernel, which sends a snapshot every second. */
export function start(widget: Widget, el: HTMLElement): DemoModel {
  const first = moved(snapshot);
  const model = new DemoModel({ snapshot: first, history: moved(history), log: moved(log) });
  widget.render({ model, el });
  let ticks = 0;
  setInterval(() => {
    ticks += 1;
    if (!model.answers) return;
    const rss_bytes = first.process.rss_bytes + Math.round(3e7 * Math.sin(ticks / 4));
    const process = { ...first.process, rss_bytes };
    model.set('snapshot', { ...first, seq: first.seq + ticks, time_s: first.time_s + ticks, process });
  }, 1000);
  return model;
}
