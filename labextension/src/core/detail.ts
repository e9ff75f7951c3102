import { CodeLine, magic } from './magic';
import { Facts } from './facts';
import { h } from './dom';
import { t } from './text';
import { ends } from './words';
import { bytes, count, share, unknown } from './units';
import type { Context } from './view';
import type { Detail } from './column';
import type { ModelRow } from './snapshot';

/** Everything about one model, opened under its row. */
export class ModelDetail implements Detail<ModelRow> {
  private readonly facts = new Facts();
  readonly element: HTMLElement;

  constructor(model: ModelRow, context: Context) {
    const lines = (['park', 'wake', 'drop', 'trace'] as const).map(
      change => new CodeLine(magic(change, model.name), context).element
    );
    const title = h('p', { class: 'tfm-quiet' }, t('In a cell:'));
    this.element = h('div', {}, this.facts.element, title, h('div', { class: 'tfm-lines' }, ...lines));
    this.update(model);
  }

  update(model: ModelRow): void {
    this.facts.set([
      [t('Full name'), model.name],
      [t('Source'), model.source],
      [t('Mode'), model.mode],
      [t('Signature'), model.signature?.name ?? unknown()],
      [t('Inputs'), ends(model.signature, 'inputs')],
      [t('Outputs'), ends(model.signature, 'outputs')],
      [t('Variables'), count(model.variables)],
      [t('Size of its variables'), bytes(model.weights_bytes)],
      [t('Size of its constants'), bytes(model.constants_bytes), t('Where a frozen graph has its weights')],
      [
        t('Held now'),
        bytes(model.held_bytes),
        t('Of these, and of the copies that quicker calls use; nothing while it is parked')
      ],
      [t('Process grew by'), bytes(model.grew_bytes), t('When this model was added, as measured')],
      [
        t('Peak of a run'),
        bytes(model.run_peak_bytes),
        t('Beside its variables; known after a run with --trace')
      ],
      [t('Device asked for'), model.device ?? t('none in particular')],
      [t('Devices used'), devices(model)],
      [t('Last error'), model.last_error ?? t('none')]
    ]);
  }
}

function devices(model: ModelRow): string {
  if (model.devices === null) return t('not known before a run');
  return model.devices
    .map(({ device, operations, variables, share: part }) =>
      t('{device}: {operations} operations, {variables} variables, {share} of the time', {
        device,
        operations: count(operations),
        variables: count(variables),
        share: share(part)
      })
    )
    .join('\n');
}
