import { showErrorMessage } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import { t } from '../core/text';
import { reason } from '../core/view';
import { runNewCell } from './adding';
import { Commands } from './commands';
import { isModelFile, modelName, quoted } from './naming';
import { savedAt } from './saved';
import type { Connection } from './connection';
import type { Host } from './host';

/** Add the command that puts what is selected in the file browser into the notebook in front, as a model. */
export function addFileCommand(
  host: Host,
  browsers: IFileBrowserFactory,
  notebooks: INotebookTracker | null
): void {
  const { commands, serviceManager } = host.app;
  const selected = (): Contents.IModel[] => [...(browsers.tracker.currentWidget?.selectedItems() ?? [])];
  const mayBeModel = (): boolean => {
    const [item, ...more] = selected();
    // What is in a folder is looked at when somebody asks for it, and not for every menu.
    return item !== undefined && more.length === 0 && (item.type === 'directory' || isModelFile(item.name));
  };
  commands.addCommand(Commands.add, {
    label: t('Add to kernel as TF model'),
    caption: t('Put the cell that adds the selected file or folder into the notebook in front, and run it'),
    iconClass: 'jp-MaterialIcon jp-AddIcon',
    isEnabled: mayBeModel,
    isVisible: mayBeModel,
    execute: async () => {
      const [item] = selected();
      if (item === undefined) return;
      try {
        const path = await savedAt(serviceManager.contents, item);
        await add(host, notebookInFront(host, notebooks), path);
      } catch (error) {
        await showErrorMessage(t('Not added as a TF model'), reason(error));
      }
    }
  });
}

function notebookInFront({ documents }: Host, notebooks: INotebookTracker | null): NotebookPanel {
  const panel = notebooks?.find(one => one === documents.front);
  if (panel === undefined)
    throw new Error(
      t('No notebook is in front: open the one whose kernel is to have the model, and add it again.')
    );
  return panel;
}

async function add({ connections }: Host, panel: NotebookPanel, path: string): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel ?? null;
  if (kernel === null)
    throw new Error(t('{notebook} has no kernel: start one first.', { notebook: panel.context.localPath }));
  const connection = connections.of(kernel);
  await connection.known();
  if (connection.presence === 'foreign')
    throw new Error(
      t('{notebook} has no Python kernel: tfmagic runs in Python.', { notebook: panel.context.localPath })
    );
  const name = modelName(path, await taken(connection));
  const relative = PathExt.relative(PathExt.dirname(panel.context.localPath), path);
  const line = `%tf_model add ${name} ${quoted(relative)}`;
  await runNewCell(panel, connection.presence === 'there' ? line : `%load_ext tfmagic\n${line}`);
}

async function taken({ presence, store }: Connection): Promise<Set<string>> {
  // Of a kernel that does not answer now, what it said last.
  if (presence === 'there') await store.request('snapshot').catch(() => undefined);
  return new Set(store.snapshot?.models.map(({ name }) => name));
}
