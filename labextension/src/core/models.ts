import { Actions } from './actions';
import { DataTable } from './table';
import { h, setText, show } from './dom';
import { ModelDetail } from './detail';
import { t, tn } from './text';
import { heldNow, stateWord, summary } from './words';
import { bytes, count, seconds } from './units';
import type { Column } from './column';
import type { Context, View } from './view';
import type { ModelRow } from './snapshot';

/** The models, with what they use and the buttons that change them. */
export class Models implements View {
  private readonly table: DataTable<ModelRow>;
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.table = new DataTable<ModelRow>({
      caption: t('Models'),
      columns: [...columns(), this.actions()],
      key: model => model.name,
      search: model => `${model.name} ${model.kind} ${stateWord(model.state)} ${model.source}`,
      empty: t('No model yet. In a cell: %tf_model add NAME SOURCE'),
      detail: model => new ModelDetail(model, context),
      mark: model => (model.state === 'failed' ? 'failed' : null)
    });
    this.element = h('div', { class: 'tfm-models' }, this.table.element);
  }

  update(): void {
    this.table.set(this.context.store.snapshot?.models ?? []);
  }

  private actions(): Column<ModelRow> {
    return {
      id: 'actions',
      title: t('Actions'),
      whole: true,
      text: () => '',
      draw: model => {
        const actions = new Actions(model, this.context);
        return {
          element: actions.element,
          update: row => {
            actions.update(row);
          }
        };
      }
    };
  }
}

function columns(): Column<ModelRow>[] {
  return [
    {
      id: 'name',
      title: t('Name'),
      width: 2.8,
      text: model => model.name,
      sort: model => model.name,
      below: model => model.kind,
      code: true
    },
    { id: 'state', title: t('State'), width: 1.8, text: () => '', sort: model => model.state, draw: state },
    {
      id: 'signature',
      title: t('Signature'),
      spare: true,
      width: 2.6,
      code: true,
      text: model => summary(model.signature)
    },
    {
      id: 'size',
      title: t('Size'),
      width: 1.5,
      numeric: true,
      text: model => bytes(model.size_bytes),
      sort: model => model.size_bytes,
      below: heldBeside
    },
    {
      id: 'calls',
      title: t('Calls'),
      width: 1.1,
      numeric: true,
      text: model => count(model.calls),
      sort: model => model.calls
    },
    {
      id: 'last',
      title: t('Last'),
      width: 1.3,
      numeric: true,
      text: model => seconds(model.last_latency_s),
      sort: model => model.last_latency_s
    },
    {
      id: 'median',
      title: t('Median'),
      width: 1.4,
      numeric: true,
      text: model => seconds(model.median_latency_s),
      sort: model => model.median_latency_s
    },
    { id: 'where', title: t('Runs on'), width: 2.6, wrap: true, text: where, sort: where }
  ];
}

/** What a model holds, where that is not its size: less while it is parked, more with copies for quicker calls. */
function heldBeside(model: ModelRow): string {
  if (model.size_bytes === null || bytes(model.held_bytes) === bytes(model.size_bytes)) return '';
  return heldNow(model);
}

function state(): { element: HTMLElement; update: (model: ModelRow) => void } {
  const word = h('span', { class: 'tfm-state' });
  const error = h('span', { class: 'tfm-text tfm-error', dir: 'auto' });
  const element = h('span', { class: 'tfm-stack' }, word, error);
  return {
    element,
    update: model => {
      setText(word, stateWord(model.state));
      word.dataset.state = model.state;
      show(error, model.last_error !== null);
      setText(error, model.last_error === null ? '' : t('error: {text}', { text: model.last_error }));
      error.title = model.last_error ?? '';
    }
  };
}

function where(model: ModelRow): string {
  if (model.runs_on === null)
    return model.device === null ? t('unknown until traced') : t('asked: {device}', { device: model.device });
  const places = model.runs_on.join(', ');
  if (model.moved !== null && model.moved > 0)
    return `${places} ${tn('({n} moved)', '({n} moved)', model.moved)}`;
  const asked = model.device?.split('device:').pop() ?? '';
  if (model.moved === 0 || asked === '' || model.runs_on.includes(asked)) return places;
  return `${places} ${t('(asked: {device})', { device: asked })}`;
}
