import { Asked } from './asked';
import { DataTable } from './table';
import { freshId, h, setAttribute, setText, show } from './dom';
import { arrange } from './keyed';
import { deviceTable, operationTable, variableTable } from './placed';
import { cut, t, tn } from './text';
import { count } from './units';
import type { Context, View } from './view';
import type { DeviceShare, ModelRow, PlacedOperation, PlacedVariable, Placement } from './snapshot';

/** Where each operation and variable of one model was asked to be, and where it is. */
export class PlacementView implements View {
  private readonly picker: HTMLSelectElement;
  private readonly options = new Map<string, HTMLOptionElement>();
  private readonly asked: Asked<'placement'>;
  private readonly known = h('p');
  private readonly moved = h('p');
  private readonly devices: DataTable<DeviceShare> = deviceTable();
  private readonly operations: DataTable<PlacedOperation> = operationTable();
  private readonly variables: DataTable<PlacedVariable> = variableTable();
  private readonly cutOff = h('p', { class: 'tfm-quiet' });
  private readonly body: HTMLElement;
  private readonly empty = h('p', { class: 'tfm-quiet' }, t('No model yet.'));
  private drawnFor = '';
  readonly element: HTMLElement;

  constructor(private readonly context: Context) {
    this.asked = new Asked(
      context,
      'placement',
      () => {
        this.draw();
      },
      t('Asking the kernel: it runs the model once on zeros where no run has shown this yet…')
    );
    const id = freshId('model');
    const onchange = (): void => {
      this.ask();
    };
    this.picker = h('select', { id, onchange, class: 'tfm-code' });
    const controls = h('div', { class: 'tfm-row' }, h('label', { for: id }, t('Model')), this.picker);
    this.body = h(
      'div',
      {},
      this.known,
      this.moved,
      this.devices.element,
      this.variables.element,
      this.operations.element,
      this.cutOff
    );
    this.element = h('div', { class: 'tfm-placement' }, controls, this.empty, this.asked.element, this.body);
  }

  /** Show this model when the tab is next come to. */
  choose(model: string): void {
    this.offer(this.context.store.snapshot?.models ?? []);
    this.picker.value = model;
  }

  enter(): void {
    // The update that follows asks, for the model that is there by then.
    this.drawnFor = '';
  }

  update(): void {
    const models = this.context.store.snapshot?.models ?? [];
    this.offer(models);
    show(this.empty, models.length === 0);
    const model = models.find(({ name }) => name === this.picker.value);
    // A model's places are known anew only after a run or a rebuild: then ask again.
    const state = model === undefined ? '' : JSON.stringify([model.name, model.devices, model.moved]);
    if (state !== this.drawnFor) this.ask();
    this.drawnFor = state;
    this.draw();
  }

  private offer(models: readonly ModelRow[]): void {
    const names = new Set(models.map(({ name }) => name));
    for (const name of [...this.options.keys()]) if (!names.has(name)) this.options.delete(name);
    const wanted = models.map(({ name }) => {
      const option = this.options.get(name) ?? h('option', { value: name, dir: 'auto' }, cut(name, 80));
      this.options.set(name, option);
      return option;
    });
    arrange(this.picker, wanted);
    setAttribute(this.picker, 'disabled', models.length === 0);
  }

  private ask(): void {
    const model = this.picker.value;
    if (model === '') return;
    if (this.asked.answer?.model !== model) this.asked.forget();
    this.asked.ask({ model });
    this.draw();
  }

  private draw(): void {
    const { answer } = this.asked;
    const shown = answer !== null && answer.model === this.picker.value;
    show(this.body, shown);
    if (shown) this.drawPlacement(answer);
  }

  private drawPlacement(placement: Placement): void {
    const { known_from: run, note } = placement;
    const known = run === null ? null : t('As {run} has shown.', { run });
    setText(this.known, [known, note].filter(part => part !== null).join(' '));
    // Nothing is known: then there is nothing to list, and no empty list to draw.
    for (const { element } of [this.devices, this.variables, this.operations]) show(element, run !== null);
    const away = [...placement.operations, ...placement.variables].filter(({ moved }) => moved).length;
    show(this.moved, away > 0);
    this.moved.className = 'tfm-notice';
    setText(
      this.moved,
      tn(
        '{n} of those listed runs elsewhere than asked for.',
        '{n} of those listed run elsewhere than asked for.',
        away
      )
    );
    const { shown, total } = placement;
    show(this.cutOff, shown < total);
    setText(
      this.cutOff,
      t('The {shown} slowest and the moved, of {total} in all.', { shown: count(shown), total: count(total) })
    );
    this.devices.set(placement.devices ?? []);
    this.operations.set(placement.operations);
    this.variables.set(placement.variables);
  }
}
