import { Asked } from './asked';
import { DataTable } from './table';
import { h, setText, show } from './dom';
import { LibraryNotes } from './notes';
import { t, tn } from './text';
import { bytes, clock, count, unknown } from './units';
import type { Column } from './column';
import type { Context, View } from './view';
import type { LibraryRecord } from './protocol';

/** Every shared object of the process, who brought it and what is new. */
export class Libraries implements View {
  private readonly asked: Asked<'libraries'>;
  private readonly counted = h('p');
  private readonly notes = new LibraryNotes();
  private readonly table: DataTable<LibraryRecord>;
  private readonly body: HTMLElement;
  private drawnFor = '';
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.asked = new Asked(context, 'libraries', () => {
      this.draw();
    });
    this.table = new DataTable<LibraryRecord>({
      caption: t('Shared objects'),
      columns: columns(),
      key: record => `${record.name}\n${record.path ?? ''}`,
      search: record =>
        Object.values(record)
          .filter(value => typeof value === 'string')
          .join(' '),
      empty: t('None is known.')
    });
    this.body = h('div', {}, this.notes.element, this.table.element);
    this.element = h('div', { class: 'tfm-libraries' }, this.counted, this.asked.element, this.body);
    show(this.body, false);
  }

  enter(): void {
    this.asked.ask();
  }

  update(): void {
    const counts = this.context.store.snapshot?.libraries ?? null;
    // The loader's counters tell when the list is no longer what was asked for.
    const state = JSON.stringify(counts);
    if (state !== this.drawnFor && this.asked.answer !== null) this.asked.ask();
    this.drawnFor = state;
    setText(
      this.counted,
      counts === null
        ? t('Not counted yet.')
        : tn('{n} shared object', '{n} shared objects', counts.count) +
            t(
              '; {since} came since tfmagic was loaded. The loader has loaded {loads} ever and unloaded {unloads}.',
              {
                since: count(counts.since_load),
                loads: count(counts.loads),
                unloads: count(counts.unloads)
              }
            )
    );
  }

  private draw(): void {
    const { answer } = this.asked;
    if (answer === null) return;
    show(this.body, true);
    this.notes.set(answer);
    this.table.set(answer.libraries);
  }
}

function columns(): Column<LibraryRecord>[] {
  const text = (value: string | null | undefined): string => value ?? unknown();
  return [
    { id: 'name', title: t('Name'), width: 3.4, code: true, text: row => row.name, sort: row => row.name },
    {
      id: 'version',
      title: t('Version'),
      whole: true,
      text: row => text(row.version),
      sort: row => row.version ?? null
    },
    {
      id: 'size',
      title: t('On disk'),
      numeric: true,
      text: row => size(row.size_bytes),
      sort: row => row.size_bytes ?? null
    },
    {
      id: 'resident',
      title: t('Resident'),
      numeric: true,
      text: row => size(row.resident_bytes),
      sort: row => row.resident_bytes ?? null
    },
    {
      id: 'by',
      title: t('Brought by'),
      width: 2,
      text: row => text(row.brought_by),
      sort: row => row.brought_by ?? null
    },
    {
      id: 'since',
      title: t('Since'),
      width: 1.6,
      text: row => since(row.since),
      sort: row => row.since ?? null
    },
    {
      id: 'path',
      title: t('Path'),
      width: 4,
      code: true,
      text: row => text(row.path),
      sort: row => row.path ?? null
    }
  ];
}

function size(value: unknown): string {
  return bytes(typeof value === 'number' ? value : null);
}

function since(value: string | number | null | undefined): string {
  return typeof value === 'number' ? clock(value) : (value ?? unknown());
}
