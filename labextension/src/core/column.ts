import type { Order, SortValue } from './sorting';

export interface Column<Row> {
  id: string;
  title: string;
  /** What the cell shows, as text. */
  text: (row: Row) => string;
  /** Makes the column one to sort by. */
  sort?: (row: Row) => SortValue;
  numeric?: boolean;
  /** As wide as what it holds, which is never cut; numbers always are. */
  whole?: boolean;
  /** Its part of what the whole columns leave, beside the others'. */
  width?: number;
  /** Left out where there is little room. */
  spare?: boolean;
  /** A name or path, in the fixed-width font and its own direction. */
  code?: boolean;
  /** A second, quieter line in the cell. */
  below?: (row: Row) => string;
  /** Wrap the text instead of cutting it. */
  wrap?: boolean;
  /** So long that it has a line of its own where rows are cards, and is not cut there. */
  long?: boolean;
  /** Draws more than text into the cell, once; what comes back brings it up to date. */
  draw?: (row: Row) => { element: HTMLElement; update: (row: Row) => void };
}

/** What opens under a row. */
export interface Detail<Row> {
  element: HTMLElement;
  update: (row: Row) => void;
}

export interface TableOptions<Row> {
  caption: string;
  columns: readonly Column<Row>[];
  key: (row: Row) => string;
  /** What stands where there are no rows at all. */
  empty: string;
  /** The text that the search field looks through; without it there is no field. */
  search?: (row: Row) => string;
  /** How the rows are sorted at first; without it they come as they are. */
  order?: Order;
  pageSize?: number;
  detail?: (row: Row) => Detail<Row>;
  /** A word on a row that CSS may mark, beside what the cells say. */
  mark?: (row: Row) => string | null;
}

const USUAL_PART = 2.5;

export function isWhole<Row>(column: Column<Row>): boolean {
  return column.whole === true || column.numeric === true;
}

export function part<Row>(column: Column<Row>): number {
  return column.width ?? USUAL_PART;
}

/** The classes of a column's cells. */
export function kinds<Row>(column: Column<Row>): string | null {
  const words = [
    column.numeric === true ? 'tfm-number' : '',
    isWhole(column) ? 'tfm-whole' : '',
    column.wrap === true ? 'tfm-wrap' : '',
    column.long === true ? 'tfm-long' : '',
    column.spare === true ? 'tfm-spare' : ''
  ];
  return words.filter(word => word !== '').join(' ') || null;
}
