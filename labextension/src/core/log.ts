import { Asked } from './asked';
import { DataTable } from './table';
import { h, setAttribute, setText, show } from './dom';
import { cut, t, tn } from './text';
import { clock, count } from './units';
import { severityWord } from './words';
import type { Context, View } from './view';
import type { LogEntry } from './snapshot';

const SHORT = 240;

/** What TensorFlow wrote to the standard error of the process, newest first. */
export class Log implements View {
  private readonly asked: Asked<'log'>;
  private readonly counted = h('p');
  private readonly table: DataTable<LogEntry>;
  private drawnFor = '';
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.asked = new Asked(context, 'log', () => {
      this.draw();
    });
    this.table = new DataTable<LogEntry>({
      caption: t('Log'),
      columns: [
        { id: 'time', title: t('Time'), whole: true, text: time, sort: entry => entry.last_s },
        {
          id: 'severity',
          title: t('Severity'),
          whole: true,
          text: entry => severityWord(entry.severity),
          sort: entry => RANK[entry.severity]
        },
        {
          id: 'count',
          title: t('Times'),
          width: 0.9,
          numeric: true,
          text: entry => count(entry.count),
          sort: entry => entry.count
        },
        {
          id: 'model',
          title: t('Model'),
          width: 1.4,
          code: true,
          text: entry => entry.model ?? '',
          sort: entry => entry.model
        },
        {
          id: 'text',
          title: t('Text'),
          width: 8,
          wrap: true,
          long: true,
          text: entry => entry.text,
          draw: message
        },
        {
          id: 'source',
          title: t('Source'),
          spare: true,
          long: true,
          width: 2.2,
          code: true,
          text: entry => entry.source,
          sort: entry => entry.source
        }
      ],
      key: entry => String(entry.seq),
      search: entry => `${severityWord(entry.severity)} ${entry.model ?? ''} ${entry.source} ${entry.text}`,
      mark: entry => (entry.severity === 'info' ? null : entry.severity),
      empty: t('TensorFlow has written nothing so far.')
    });
    this.element = h('div', { class: 'tfm-log' }, this.counted, this.asked.element, this.table.element);
    show(this.table.element, false);
  }

  enter(): void {
    this.asked.ask();
  }

  update(): void {
    const log = this.context.store.snapshot?.log;
    if (log === undefined) return;
    const state = JSON.stringify(log);
    if (state !== this.drawnFor && this.drawnFor !== '') this.asked.ask();
    this.drawnFor = state;
    const parts = [
      tn('{n} entry', '{n} entries', log.entries),
      tn('{n} warning', '{n} warnings', log.warnings),
      tn('{n} error', '{n} errors', log.errors)
    ];
    setText(this.counted, t('{parts}, since the kernel began.', { parts: parts.join(', ') }));
  }

  private draw(): void {
    const { answer } = this.asked;
    if (answer === null) return;
    show(this.table.element, true);
    this.table.set([...answer].sort((a, b) => b.last_s - a.last_s || b.seq - a.seq));
  }
}

const RANK = { info: 0, warning: 1, error: 2, fatal: 3 };

function time(entry: LogEntry): string {
  const last = clock(entry.last_s);
  const first = clock(entry.first_s);
  return first === last ? last : `${first}–${last}`;
}

/** A message; a long one can be opened. */
function message(entry: LogEntry): { element: HTMLElement; update: (entry: LogEntry) => void } {
  const short = h('span', { dir: 'auto' });
  const whole = h('pre', { dir: 'auto' });
  const more = h('details', {}, h('summary', {}, t('the whole text')), whole);
  const update = ({ text }: LogEntry): void => {
    const line = text.trim();
    setText(short, cut(line, SHORT));
    show(more, line.length > SHORT);
    setText(whole, line.length > SHORT ? line : '');
  };
  update(entry);
  const element = h('div', { class: 'tfm-message' }, short, more);
  setAttribute(element, 'dir', 'auto');
  return { element, update };
}
