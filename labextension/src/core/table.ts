import { arrange } from './keyed';
import { focusedIn, h, setAttribute, show } from './dom';
import { Pager } from './pager';
import { RowView } from './row';
import { sorted, type Order } from './sorting';
import { t } from './text';
import { isWhole, kinds, part, type Column, type TableOptions } from './column';

const PAGE_SIZE = 50;

/** A native table that is brought up to date in place: sorted, searched, a page at a time. */
export class DataTable<Row> {
  readonly element: HTMLElement;
  private readonly table: HTMLTableElement;
  private readonly head = h('thead', { role: 'rowgroup' });
  private readonly title: HTMLElement;
  private readonly fixed: readonly Element[];
  private readonly headings = new Map<string, HTMLElement>();
  private readonly empty: HTMLElement;
  private readonly search: HTMLInputElement | null;
  private readonly pager: Pager;
  private readonly views = new Map<string, RowView<Row>>();
  private rows: readonly Row[] = [];
  private order: Order | null = null;

  constructor(private readonly options: TableOptions<Row>) {
    const { caption, columns, order } = options;
    this.order = order ?? null;
    const again = (): void => {
      this.draw();
    };
    this.pager = new Pager(options.pageSize ?? PAGE_SIZE, caption, again);
    this.search = options.search === undefined ? null : this.makeSearch();
    // Where rows are cards, the headings are what one sorts by, and nothing more.
    const by = columns.some(({ sort }) => sort !== undefined) ? t('Sort by:') : null;
    const headings = columns.map(column => this.heading(column));
    this.head.append(h('tr', { role: 'row', 'data-by': by }, ...headings));
    const spoken = h('caption', { class: 'tfm-spoken' }, caption);
    this.fixed = [spoken, this.head];
    this.table = h('table', { role: 'table' }, ...this.fixed);
    this.empty = h('p', { class: 'tfm-quiet' }, options.empty);
    const title = h('h2', { tabindex: -1 }, caption);
    const tools = h('div', { class: 'tfm-row tfm-tools' }, title, this.pager.element, this.search);
    this.element = h('div', { class: 'tfm-table' }, tools, this.table, this.empty);
    this.title = title;
  }

  set(rows: readonly Row[]): void {
    this.rows = rows;
    this.draw();
  }

  private draw(): void {
    const needle = this.search?.value.trim().toLowerCase() ?? '';
    const { search, columns, key } = this.options;
    let found = this.rows;
    if (search !== undefined && needle !== '') {
      found = found.filter(row => search(row).toLowerCase().includes(needle));
    }
    const by = columns.find(column => column.id === this.order?.column)?.sort;
    if (by !== undefined) found = sorted(found, by, this.order?.descending === true);
    const page = this.pager.cut(found, this.rows.length);
    const wanted = new Map(page.map(row => [key(row), row]));
    const elements = [...wanted].map(([name, row]) => this.view(name, row).element);
    const hadFocus = focusedIn(this.table) !== null;
    for (const name of [...this.views.keys()]) if (!wanted.has(name)) this.views.delete(name);
    arrange(this.table, [...this.fixed, ...elements]);
    // The focused row has gone: the person is still at this table, not at the top of the page.
    if (hadFocus && focusedIn(this.table) === null) this.title.focus({ preventScroll: true });
    show(this.table, this.rows.length > 0);
    show(this.empty, this.rows.length === 0);
    if (this.search !== null) show(this.search, this.rows.length > 5 || needle !== '');
  }

  private view(name: string, row: Row): RowView<Row> {
    const held = this.views.get(name);
    if (held !== undefined) {
      held.update(row);
      return held;
    }
    const made = new RowView(row, this.options);
    this.views.set(name, made);
    return made;
  }

  private makeSearch(): HTMLInputElement {
    const label = t('Search {table}', { table: this.options.caption });
    const oninput = (): void => {
      this.pager.restart();
      this.draw();
    };
    return h('input', { type: 'search', placeholder: t('Search'), 'aria-label': label, oninput });
  }

  private heading(column: Column<Row>): HTMLElement {
    const cell = h('th', { scope: 'col', role: 'columnheader', class: kinds(column) });
    if (!isWhole(column)) {
      const parts = this.options.columns.filter(other => !isWhole(other)).map(part);
      const all = parts.reduce((sum, other) => sum + other, 0);
      cell.style.width = `${((100 * part(column)) / all).toFixed(1)}%`;
    }
    if (column.sort === undefined) {
      cell.append(column.title);
      return cell;
    }
    const onclick = (): void => {
      const again = this.order?.column === column.id;
      const descending = again ? this.order?.descending !== true : column.numeric === true;
      this.order = { column: column.id, descending };
      this.markOrder();
      this.pager.restart();
      this.draw();
    };
    cell.append(h('button', { type: 'button', class: 'tfm-sort', onclick }, column.title));
    this.headings.set(column.id, cell);
    this.markOrder();
    return cell;
  }

  private markOrder(): void {
    const way = this.order?.descending === true ? 'descending' : 'ascending';
    for (const [id, heading] of this.headings)
      setAttribute(heading, 'aria-sort', id === this.order?.column ? way : null);
  }
}
