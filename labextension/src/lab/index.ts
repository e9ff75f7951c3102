import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';
import { setTranslator, t } from '../core/text';
import { Commands } from './commands';
import { Connections } from './connections';
import { icon } from './icon';
import { StatusItem } from './status';
import { Documents, OneDocument } from './subject';
import { KernelView } from './view';

const SIDEBAR = 'tfmagic-sidebar';

/** The sidebar, the panels, the status bar's item and the commands: they share who is in front, and the connections. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: '@tfmagic/lab:plugin',
  description: 'Shows the TensorFlow models of a kernel, live, also while a cell runs.',
  autoStart: true,
  optional: [
    ILabShell,
    ILayoutRestorer,
    INotebookTracker,
    IConsoleTracker,
    ICommandPalette,
    IStatusBar,
    ISettingRegistry,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    if (translator !== null) {
      const bundle = translator.load('tfmagic');
      setTranslator(text => bundle.gettext(text));
    }
    const connections = new Connections();
    const documents = new Documents(app, labShell, notebooks, consoles);

    const sidebar = new KernelView(documents, connections, true);
    sidebar.id = SIDEBAR;
    sidebar.title.icon = icon;
    sidebar.title.caption = t('TensorFlow in this kernel');
    app.shell.add(sidebar, 'right', { rank: 900, type: 'TensorFlow' });
    restorer?.add(sidebar, SIDEBAR);

    const panels = new WidgetTracker<MainAreaWidget<KernelView>>({ namespace: 'tfmagic-panel' });
    const paths = new WeakMap<MainAreaWidget<KernelView>, string>();
    const { commands } = app;
    commands.addCommand(Commands.panel, {
      label: t('TensorFlow: open the panel of this kernel'),
      caption: t('Libraries, placement, memory, models and log of this kernel'),
      icon,
      isEnabled: args => typeof args.path === 'string' || documents.session !== null,
      execute: args => {
        const path = typeof args.path === 'string' ? args.path : documents.session?.path;
        if (path === undefined) return null;
        let panel = panels.find(one => paths.get(one) === path);
        if (panel === undefined) {
          const content = new KernelView(new OneDocument(documents, path), connections, false);
          panel = new MainAreaWidget({ content });
          panel.id = `tfmagic-panel-${path}`;
          panel.title.label = t('TensorFlow: {path}', { path: path.split('/').at(-1) ?? path });
          panel.title.caption = path;
          panel.title.icon = icon;
          panel.title.closable = true;
          paths.set(panel, path);
          app.shell.add(panel, 'main', { mode: 'split-right', type: 'TensorFlow' });
          void panels.add(panel);
        }
        app.shell.activateById(panel.id);
        return panel;
      }
    });
    commands.addCommand(Commands.sidebar, {
      label: t('TensorFlow: show the sidebar'),
      icon,
      execute: () => {
        app.shell.activateById(SIDEBAR);
      }
    });
    commands.addCommand(Commands.load, {
      label: t('TensorFlow: load tfmagic in this kernel'),
      caption: '%load_ext tfmagic',
      isEnabled: () => (documents.session?.session?.kernel ?? null) !== null,
      execute: () => {
        const kernel = documents.session?.session?.kernel ?? null;
        return kernel === null ? null : connections.of(kernel).load();
      }
    });
    for (const command of Object.values(Commands)) palette?.addItem({ command, category: t('TensorFlow') });
    if (restorer !== null) {
      void restorer.restore(panels, {
        command: Commands.panel,
        args: panel => ({ path: paths.get(panel) ?? '' }),
        name: panel => paths.get(panel) ?? ''
      });
    }
    if (statusBar !== null)
      void addStatus(
        statusBar,
        settings,
        documents,
        connections,
        () => void commands.execute(Commands.panel)
      );
  }
};

/** Put memory and models into the status bar, for as long as the settings have it there. */
async function addStatus(
  statusBar: IStatusBar,
  registry: ISettingRegistry | null,
  documents: Documents,
  connections: Connections,
  open: () => void
): Promise<void> {
  const settings = (await registry?.load(plugin.id).catch(() => null)) ?? null;
  let placed: { dispose(): void } | null = null;
  const update = (): void => {
    const wanted = settings?.get('statusBar').composite !== false;
    if (wanted && placed === null) {
      const item = new StatusItem(documents, connections, open);
      const registered = statusBar.registerStatusItem(plugin.id, {
        item,
        align: 'left',
        rank: 100,
        isActive: () => item.isActive,
        activeStateChanged: item.activeChanged as never
      });
      placed = {
        dispose: () => {
          registered.dispose();
          item.dispose();
        }
      };
    } else if (!wanted) {
      placed?.dispose();
      placed = null;
    }
  };
  settings?.changed.connect(update);
  update();
}

export default plugin;
