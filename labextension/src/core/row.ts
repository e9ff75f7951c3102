import { freshId, h, setAttribute, setText } from './dom';
import { cut, named, t } from './text';
import { Name, Plain } from './name';
import { kinds, type Column, type Detail, type TableOptions } from './column';

const LONGEST_HINT = 1000;

/** One row of a table, with what can be opened under it. It stays the same elements for its whole life. */
export class RowView<Row> {
  readonly element = h('tbody', { role: 'rowgroup' });
  private readonly cells: ((row: Row) => void)[];
  private readonly line = h('tr', { role: 'row' });
  private opened: { line: HTMLElement; detail: Detail<Row> } | null = null;
  private toggle: HTMLButtonElement | null = null;

  constructor(
    private row: Row,
    private readonly options: TableOptions<Row>
  ) {
    this.cells = options.columns.map((column, index) => this.cell(column, index === 0));
    this.element.append(this.line);
    this.update(row);
  }

  update(row: Row): void {
    this.row = row;
    setAttribute(this.line, 'data-mark', this.options.mark?.(row) ?? null);
    for (const update of this.cells) update(row);
    this.opened?.detail.update(row);
  }

  private cell(column: Column<Row>, isFirst: boolean): (row: Row) => void {
    const properties = { class: kinds(column), 'data-label': column.title };
    const cell = isFirst
      ? h('th', { ...properties, scope: 'row', role: 'rowheader' })
      : h('td', { ...properties, role: 'cell' });
    this.line.append(cell);
    if (column.draw !== undefined) {
      const { element, update } = column.draw(this.row);
      cell.append(element);
      return update;
    }
    const span = column.code === true ? new Name() : new Plain();
    const below = column.below === undefined ? null : h('span', { class: 'tfm-text tfm-below', dir: 'auto' });
    const stack = h('span', { class: 'tfm-stack' }, span.element, below);
    const holder = isFirst && this.options.detail !== undefined ? this.makeToggle() : null;
    holder?.append(stack);
    cell.append(holder ?? stack);
    return row => {
      const text = column.text(row);
      // A card leaves out what there is nothing of.
      setAttribute(cell, 'data-empty', text === '');
      span.set(text);
      if (below !== null) setText(below, column.below?.(row) ?? '');
      setAttribute(
        span.element,
        'title',
        column.wrap === true || text === '' ? null : cut(text, LONGEST_HINT)
      );
      if (holder !== null) setAttribute(holder, 'aria-label', t('Details of {name}', { name: named(text) }));
    };
  }

  private makeToggle(): HTMLButtonElement {
    const onclick = (): void => {
      this.open(this.opened === null);
    };
    this.toggle = h('button', { type: 'button', class: 'tfm-toggle', 'aria-expanded': 'false', onclick });
    return this.toggle;
  }

  private open(wanted: boolean): void {
    if (this.toggle === null || this.options.detail === undefined) return;
    setAttribute(this.toggle, 'aria-expanded', String(wanted));
    if (!wanted) {
      this.opened?.line.remove();
      this.opened = null;
      setAttribute(this.toggle, 'aria-controls', null);
      return;
    }
    const detail = this.options.detail(this.row);
    const id = freshId('detail');
    const cell = h(
      'td',
      { role: 'cell', colspan: this.options.columns.length, class: 'tfm-detail' },
      detail.element
    );
    const line = h('tr', { role: 'row', id }, cell);
    this.element.append(line);
    this.opened = { line, detail };
    setAttribute(this.toggle, 'aria-controls', id);
  }
}
