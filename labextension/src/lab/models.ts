import { InputDialog, Notification, showErrorMessage } from '@jupyterlab/apputils';
import { whereItRan } from '../core/actions';
import { magic, type Change } from '../core/magic';
import { named, t } from '../core/text';
import { reason } from '../core/view';
import { chooseForGood } from './choice';
import { Commands } from './commands';
import { called, pathOf } from './subject';
import type { Connection } from './connection';
import type { Host } from './host';
import type { ModelRow } from '../core/snapshot';

const SHOWN_MS = 8000;

interface Deed {
  readonly id: string;
  readonly change: Change;
  readonly label: string;
  readonly question: string;
  readonly button: string;
  /** Why it can be done to none. */
  readonly none: string;
  readonly suits: (model: ModelRow) => boolean;
}

function deeds(): Deed[] {
  return [
    {
      id: Commands.park,
      change: 'park',
      label: t('Park a TensorFlow model…'),
      question: t('Which model is to be parked?'),
      button: t('Park'),
      none: t('No model here can be parked: one that runs, is parked already or is a live object cannot.'),
      suits: model => model.can_park
    },
    {
      id: Commands.wake,
      change: 'wake',
      label: t('Wake a TensorFlow model…'),
      question: t('Which model is to be woken?'),
      button: t('Wake'),
      none: t('No model of this kernel is parked.'),
      suits: model => model.state === 'parked'
    },
    {
      id: Commands.trace,
      change: 'trace',
      label: t('Trace a TensorFlow model…'),
      question: t('Which model is to be run once on zeros, and traced?'),
      button: t('Trace'),
      none: t('This kernel has no model yet.'),
      suits: () => true
    },
    {
      id: Commands.drop,
      change: 'drop',
      label: t('Drop a TensorFlow model…'),
      question: t('Which model is to be dropped for good?'),
      button: t('Drop it'),
      none: t('This kernel has no model yet.'),
      suits: () => true
    }
  ];
}

/** Add the commands that change one model of the kernel in front, which they ask for. */
export function addModelCommands(host: Host): void {
  for (const deed of deeds()) {
    host.app.commands.addCommand(deed.id, {
      label: deed.label,
      caption: magic(deed.change, 'NAME'),
      isEnabled: () => inFront(host)?.presence === 'there',
      execute: async () => {
        const connection = inFront(host);
        if (connection === null) return;
        const { session, front } = host.documents;
        const onward = (model: string): void =>
          void host.app.commands.execute(Commands.panel, {
            model,
            ...(front === null ? {} : { path: pathOf(front) })
          });
        try {
          await pickAndDo(deed, connection, session === null ? '' : called(session), onward);
        } catch (error) {
          await showErrorMessage(deed.label, reason(error));
        }
      }
    });
  }
}

function inFront({ documents, connections }: Host): Connection | null {
  const kernel = documents.session?.session?.kernel ?? null;
  return kernel === null ? null : connections.of(kernel);
}

async function pickAndDo(
  deed: Deed,
  { store }: Connection,
  document: string,
  onward: (model: string) => void
): Promise<void> {
  const { result } = await store.request('snapshot');
  const models = result.models.filter(deed.suits);
  if (models.length === 0) {
    Notification.info(deed.none, { autoClose: SHOWN_MS });
    return;
  }
  const value = await chosen(
    deed,
    t('As in a cell of {document}: {line}', { document: named(document), line: magic(deed.change, 'NAME') }),
    models.map(({ name }) => name)
  );
  if (value === null) return;
  const { said } = await store.request(deed.change, { model: value });
  Notification.success(said ?? t('{line}: done.', { line: magic(deed.change, value) }), {
    autoClose: SHOWN_MS,
    actions: deed.change === 'trace' ? [{ label: whereItRan(), callback: () => onward(value) }] : []
  });
}

async function chosen(
  { question, button, change }: Deed,
  label: string,
  items: string[]
): Promise<string | null> {
  if (change === 'drop') return chooseForGood(question, label, items, button);
  return (await InputDialog.getItem({ title: question, label, items, okLabel: button })).value;
}
