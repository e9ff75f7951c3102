import { Asked } from './asked';
import { DataTable } from './table';
import { h, setText, show } from './dom';
import { LibraryNotes } from './notes';
import { t, tn } from './text';
import { bytes, clock, count, unknown } from './units';
import type { Column } from './column';
import type { Context, View } from './view';
import type { LibraryRecord } from './snapshot';

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
      key: record => record.path,
      order: { column: 'size', descending: true },
      search: record =>
        [record.name, record.path, record.package, record.version, record.occasion, since(record)].join(' '),
      empty: t('None is known.')
    });
    this.body = h('div', {}, this.notes.element, this.table.element, this.notes.settings.element);
    this.element = h('div', { class: 'tfm-libraries' }, this.counted, this.asked.element, this.body);
    show(this.body, false);
  }

  enter(): void {
    this.asked.ask();
  }

  update(): void {
    const counts = this.context.store.snapshot?.libraries;
    if (counts === undefined) return;
    // The loader's counters tell when the list is no longer what was asked for.
    const state = JSON.stringify(counts);
    if (state !== this.drawnFor && this.asked.answer !== null) this.asked.ask();
    this.drawnFor = state;
    setText(
      this.counted,
      tn('{n} shared object', '{n} shared objects', counts.count) +
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
  return [
    {
      id: 'name',
      title: t('Name'),
      width: 3.2,
      code: true,
      text: row => row.name,
      sort: row => row.name,
      below: origin
    },
    {
      id: 'version',
      title: t('Version'),
      whole: true,
      text: row => row.version ?? unknown(),
      sort: row => row.version
    },
    {
      id: 'size',
      title: t('On disk'),
      numeric: true,
      text: row => bytes(row.size_bytes),
      sort: row => row.size_bytes
    },
    {
      id: 'resident',
      title: t('Resident'),
      numeric: true,
      text: row => bytes(row.resident_bytes),
      sort: row => row.resident_bytes
    },
    { id: 'by', title: t('Brought by'), width: 2.6, text: row => row.occasion, sort: row => row.occasion },
    { id: 'since', title: t('Since'), whole: true, text: since, sort: row => row.at_s },
    {
      id: 'path',
      title: t('Path'),
      width: 3.4,
      code: true,
      long: true,
      text: row => row.path,
      sort: row => row.path
    }
  ];
}

/** The package that a file belongs to, and the threads that it keeps. */
function origin(record: LibraryRecord): string {
  const name = record.package ?? t('of no package');
  const version = record.package_version ?? '';
  const threads = record.threads === null ? '' : `; ${record.threads}`;
  return `${name} ${version}`.trim() + threads;
}

function since(record: LibraryRecord): string {
  return record.since_load ? t('{time}, new', { time: clock(record.at_s) }) : t('before tfmagic');
}
