import { beforeEach, describe, expect, it } from 'vitest';
import { arrange } from '../src/core/keyed';
import { DataTable } from '../src/core/table';
import { sorted } from '../src/core/sorting';

interface Row {
  name: string;
  size: number | null;
}

function table(): DataTable<Row> {
  return new DataTable<Row>({
    caption: 'Things',
    columns: [
      { id: 'name', title: 'Name', text: row => row.name, sort: row => row.name },
      { id: 'size', title: 'Size', numeric: true, text: row => String(row.size), sort: row => row.size }
    ],
    key: row => row.name,
    search: row => row.name,
    pageSize: 50,
    empty: 'Nothing.'
  });
}

const rows = (...names: string[]): Row[] => names.map((name, size) => ({ name, size }));
const names = (shown: DataTable<Row>): (string | null)[] =>
  [...shown.element.querySelectorAll('tbody th')].map(cell => cell.textContent);

describe('a table', () => {
  let shown: DataTable<Row>;

  beforeEach(() => {
    shown = table();
    document.body.replaceChildren(shown.element);
  });

  it('keeps the elements of a row that stays, and changes only the text that changed', () => {
    shown.set(rows('a', 'b'));
    const before = [...shown.element.querySelectorAll('td')].map(
      cell => cell.querySelector('.tfm-text')!.firstChild
    );
    shown.set([
      { name: 'a', size: 7 },
      { name: 'b', size: 1 }
    ]);
    const after = [...shown.element.querySelectorAll('td')].map(
      cell => cell.querySelector('.tfm-text')!.firstChild
    );
    expect(after).toEqual(before);
    expect(after.every((node, index) => node === before[index])).toBe(true);
    expect(after[0]!.textContent).toBe('7');
  });

  it('keeps the focused row where it is while others come, go and change places', () => {
    shown.set(rows('a', 'b', 'c'));
    const held = shown.element.querySelectorAll<HTMLElement>('tbody')[1]!;
    held.tabIndex = 0;
    held.focus();
    let moved = 0;
    const observer = new MutationObserver(() => undefined);
    observer.observe(shown.element, { childList: true, subtree: true });
    shown.set(rows('x', 'c', 'b', 'y', 'a'));
    for (const record of observer.takeRecords())
      for (const node of record.removedNodes) moved += Number(node === held);
    expect(names(shown)).toEqual(['x', 'c', 'b', 'y', 'a']);
    expect(moved).toBe(0);
    expect(document.activeElement).toBe(held);
  });

  it('keeps the focus at the table when the focused row goes', () => {
    shown.set(rows('a', 'b'));
    const held = shown.element.querySelectorAll<HTMLElement>('tbody')[0]!;
    held.tabIndex = 0;
    held.focus();
    shown.set(rows('b'));
    expect(document.activeElement).toBe(shown.element.querySelector('h2'));
  });

  it('shows a page of a long list, turns it, and says which', () => {
    shown.set(Array.from({ length: 1000 }, (_, size) => ({ name: `n${size}`, size })));
    expect(names(shown)).toHaveLength(50);
    expect(shown.element.textContent).toContain('1–50 of 1,000');
    [...shown.element.querySelectorAll('button')].find(({ textContent }) => textContent === 'Next')!.click();
    expect(names(shown)[0]).toBe('n50');
  });

  it('finds rows by their text, and says how many', () => {
    shown.set(rows('alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'));
    const search = shown.element.querySelector('input')!;
    search.value = 'ETA';
    search.dispatchEvent(new Event('input'));
    expect(names(shown)).toEqual(['beta', 'zeta']);
    expect(shown.element.textContent).toContain('2 of 2 found among 6');
  });

  it('sorts by a heading, what is not known last either way, and tells which', () => {
    shown.set([
      { name: 'n10', size: null },
      { name: 'n9', size: 1 },
      { name: 'n2', size: 5 }
    ]);
    const [name, size] = shown.element.querySelectorAll<HTMLElement>('thead button');
    name!.click();
    expect(names(shown)).toEqual(['n2', 'n9', 'n10']);
    size!.click();
    expect(names(shown)).toEqual(['n2', 'n9', 'n10']);
    size!.click();
    expect(names(shown)).toEqual(['n9', 'n2', 'n10']);
    expect(size!.parentElement!.getAttribute('aria-sort')).toBe('ascending');
    expect(name!.parentElement!.hasAttribute('aria-sort')).toBe(false);
  });

  it('marks what is empty, and says what its headings are for only where one can sort by them', () => {
    const head = (): string | null => shown.element.querySelector('thead tr')!.getAttribute('data-by');
    shown.set([{ name: '', size: 1 }]);
    expect(shown.element.querySelectorAll('[data-empty]')).toHaveLength(1);
    expect(head()).toBe('Sort by:');
    shown.set([{ name: 'a', size: 1 }]);
    shown = new DataTable<Row>({
      caption: 'Things',
      columns: [{ id: 'name', title: 'Name', text: row => row.name }],
      key: row => row.name,
      empty: 'Nothing.'
    });
    shown.set(rows('a'));
    expect(shown.element.querySelector('[data-empty]')).toBeNull();
    expect(head()).toBeNull();
  });

  it('draws rows of one key once', () => {
    shown.set(rows('a', 'a', 'b'));
    expect(names(shown)).toEqual(['a', 'b']);
  });
});

describe('order', () => {
  it('is that of numbers within names, and of equals as they came', () => {
    const of = (values: (string | number | null)[]): unknown => sorted(values, value => value, false);
    expect(of(['m10', 'm2', null, 'M1'])).toEqual(['M1', 'm2', 'm10', null]);
  });

  it('is reached from any other by moving children, whichever is held', () => {
    const parent = document.createElement('div');
    document.body.replaceChildren(parent);
    const children = Array.from('abcdef').map(name => {
      const child = document.createElement('button');
      child.id = name;
      return child;
    });
    arrange(parent, children);
    for (const [order, held] of [
      ['fedcba', 'c'],
      ['cab', 'b'],
      ['bdface', 'e'],
      ['', 'a'],
      ['ecf', 'f']
    ] as const) {
      document.getElementById(held)?.focus();
      arrange(
        parent,
        Array.from(order).map(name => children.find(({ id }) => id === name)!)
      );
      expect([...parent.children].map(({ id }) => id).join('')).toBe(order);
    }
  });
});
