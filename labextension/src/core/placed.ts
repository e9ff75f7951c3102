import { DataTable } from './table';
import { Gauge } from './gauge';
import { t } from './text';
import { bytes, count, dimensions, share, unknown } from './units';
import type { Column } from './column';
import type { DeviceShare, PlacedOperation, PlacedVariable } from './snapshot';

const PAGE_SIZE = 25;

export function deviceTable(): DataTable<DeviceShare> {
  return new DataTable<DeviceShare>({
    caption: t('By device'),
    columns: [
      { id: 'device', title: t('Device'), code: true, text: row => row.device },
      { id: 'operations', title: t('Operations'), numeric: true, text: row => count(row.operations) },
      { id: 'variables', title: t('Variables'), numeric: true, text: row => count(row.variables) },
      { id: 'bytes', title: t('Size'), numeric: true, text: row => bytes(row.bytes) },
      { id: 'share', title: t('Share of time'), width: 3, text: row => share(row.share), draw: shareOfTime }
    ],
    key: row => row.device,
    empty: t('Not known before a run: run the model once, or trace it.')
  });
}

function shareOfTime(): { element: HTMLElement; update: (row: DeviceShare) => void } {
  const gauge = new Gauge(t('Share of time'));
  gauge.element.classList.add('tfm-neutral');
  return {
    element: gauge.element,
    update: row => {
      gauge.set(row.share, share(row.share));
    }
  };
}

export function operationTable(): DataTable<PlacedOperation> {
  return new DataTable<PlacedOperation>({
    caption: t('Operations'),
    columns: [
      {
        id: 'name',
        title: t('Operation'),
        width: 7,
        code: true,
        text: row => row.name,
        sort: row => row.name
      },
      { id: 'type', title: t('Type'), width: 2.5, code: true, text: row => row.type, sort: row => row.type },
      ...places<PlacedOperation>(),
      { id: 'share', title: t('Time'), numeric: true, text: row => share(row.share), sort: row => row.share }
    ],
    key: row => row.name,
    search: row => `${row.name} ${row.type} ${row.requested ?? ''} ${row.actual} ${moved(row)}`,
    pageSize: PAGE_SIZE,
    mark: row => (row.moved ? 'moved' : null),
    empty: t('No operation is known to have run yet.')
  });
}

export function variableTable(): DataTable<PlacedVariable> {
  return new DataTable<PlacedVariable>({
    caption: t('Variables'),
    columns: [
      {
        id: 'name',
        title: t('Variable'),
        width: 7,
        code: true,
        text: row => row.name,
        sort: row => row.name
      },
      {
        id: 'type',
        title: t('Type'),
        width: 2.5,
        code: true,
        text: row => row.dtype + dimensions(row.shape)
      },
      {
        id: 'size',
        title: t('Size'),
        numeric: true,
        text: row => bytes(row.size_bytes),
        sort: row => row.size_bytes
      },
      ...places<PlacedVariable>()
    ],
    key: row => row.name,
    search: row => `${row.name} ${row.dtype} ${row.requested ?? ''} ${row.actual ?? ''} ${moved(row)}`,
    pageSize: PAGE_SIZE,
    mark: row => (row.moved ? 'moved' : null),
    empty: t('It has no variables.')
  });
}

interface Placed {
  requested: string | null;
  actual: string | null;
  moved: boolean;
}

function places<Row extends Placed>(): Column<Row>[] {
  const actual = (row: Row): string =>
    [row.actual ?? unknown(), moved(row)].filter(part => part !== '').join(' ');
  const requested = (row: Row): string => row.requested ?? t('anywhere');
  return [
    { id: 'requested', title: t('Asked for'), width: 1.8, text: requested, sort: requested },
    { id: 'actual', title: t('Is on'), width: 2.2, text: actual, sort: actual }
  ];
}

function moved(row: Placed): string {
  return row.moved ? t('(moved)') : '';
}
