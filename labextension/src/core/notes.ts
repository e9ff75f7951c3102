import { DataTable } from './table';
import { h } from './dom';
import { section } from './section';
import { t } from './text';
import type { LibraryReport, Setting } from './snapshot';

/** What there is to say of the libraries: GPUs, what is loaded twice, custom operations, settings. */
export class LibraryNotes {
  readonly element = h('div', { class: 'tfm-notes' });
  readonly settings = new DataTable<Setting>({
    caption: t('Settings of the environment'),
    columns: [
      { id: 'name', title: t('Name'), code: true, text: row => row.name, sort: row => row.name },
      {
        id: 'value',
        title: t('Value'),
        code: true,
        long: true,
        text: row => row.value ?? t('not set'),
        sort: row => row.value
      },
      { id: 'decides', title: t('Decides'), wrap: true, long: true, width: 4, text: row => row.decides }
    ],
    key: row => row.name,
    search: row => `${row.name} ${row.value ?? ''} ${row.decides}`,
    empty: t('None is set that decides where libraries come from.')
  });
  private drawn = '';

  set(report: LibraryReport): void {
    this.settings.set(report.settings);
    const { gpu, duplicates, op_libraries, gone_since_load } = report;
    const text = JSON.stringify([gpu, duplicates, op_libraries, gone_since_load]);
    if (text === this.drawn) return;
    this.drawn = text;
    this.element.replaceChildren(
      section(
        t('Graphics processors'),
        ...[gpu.answer, ...gpu.reasons.slice(1)].map(sentence => h('p', { dir: 'auto' }, sentence)),
        ...gpu.advice.map(line => h('p', { class: 'tfm-code' }, line)),
        missing(report)
      ),
      ...listed(
        t('There more than once'),
        duplicates.map(({ name, why }) => (why.includes(name) ? why : `${name}: ${why}`))
      ),
      ...listed(t('Custom operations'), op_libraries.map(operations)),
      ...listed(t('Gone since tfmagic was loaded'), gone_since_load)
    );
  }
}

/** The libraries that TensorFlow would open for a GPU and that are nowhere, with where they were looked for. */
function missing({ gpu }: LibraryReport): HTMLElement | null {
  const names = gpu.needs.filter(({ found }) => found === null).map(({ name }) => name);
  if (names.length === 0) return null;
  const where = h('ul', {}, ...gpu.searched.map(folder => h('li', { class: 'tfm-code' }, folder)));
  const summary = h('summary', {}, t('Not found: {names}', { names: names.join(', ') }));
  return h(
    'details',
    {},
    summary,
    h('p', {}, t('They were looked for in the loader’s cache and in:')),
    where
  );
}

function operations({ path, ops, through }: LibraryReport['op_libraries'][number]): string {
  return t('{path}: {ops} (through {through})', {
    path,
    ops: ops.map(({ name }) => name).join(', '),
    through
  });
}

function listed(title: string, sentences: string[]): HTMLElement[] {
  if (sentences.length === 0) return [];
  return [section(title, h('ul', {}, ...sentences.map(sentence => h('li', { dir: 'auto' }, sentence))))];
}
