import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';
import { setTranslator, t } from '../core/text';
import { setUnits } from '../core/units';
import { Commands } from './commands';
import { Connections } from './connections';
import { addFileCommand } from './files';
import { addModelCommands } from './models';
import { addViewCommands } from './viewing';
import { Panels } from './panels';
import { Settings } from './settings';
import { Sidebar } from './sidebar';
import { addStatus } from './statusbar';
import { Documents } from './subject';
import type { Host } from './host';

/** The sidebar, the panels, the status bar's item and the commands. */
const plugin: JupyterFrontEndPlugin<void> = {
  id: '@tfmagic/lab:plugin',
  description: 'Shows the TensorFlow models of a kernel, live, also while a cell runs.',
  autoStart: true,
  // Notebook 7 has some of these only.
  optional: [
    ILabShell,
    ILayoutRestorer,
    INotebookTracker,
    IConsoleTracker,
    IFileBrowserFactory,
    ICommandPalette,
    IStatusBar,
    ISettingRegistry,
    ITranslator
  ],
  activate: async (
    app: JupyterFrontEnd,
    labShell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    consoles: IConsoleTracker | null,
    browsers: IFileBrowserFactory | null,
    palette: ICommandPalette | null,
    statusBar: IStatusBar | null,
    registry: ISettingRegistry | null,
    translator: ITranslator | null
  ): Promise<void> => {
    if (translator !== null) {
      const bundle = translator.load('tfmagic');
      setTranslator(text => bundle.gettext(text));
    }
    const connections = new Connections();
    const documents = new Documents(app, labShell, notebooks, consoles);
    const host: Host = { app, labShell, documents, connections };
    const settings = new Settings();
    const apply = (): void => {
      const { units, interval_s } = settings.chosen;
      setUnits(units);
      connections.wish(interval_s);
      connections.redraw();
    };
    settings.changed.connect(apply);
    // Before the layout is restored: it is to find the sidebar on the side that was chosen.
    await settings.load(registry, plugin.id);
    apply();

    const panels = new Panels(host);
    addViewCommands(host, panels, new Sidebar(host, settings, restorer));
    addModelCommands(host);
    if (browsers !== null) addFileCommand(host, browsers, notebooks);
    for (const command of Object.values(Commands)) {
      // From the palette nobody sees what is selected in the file browser.
      if (command !== Commands.add && app.commands.hasCommand(command))
        palette?.addItem({ command, category: t('TensorFlow') });
    }
    documents.changed.connect(() => app.commands.notifyCommandChanged());
    if (restorer !== null) panels.restoreWith(restorer);
    if (statusBar !== null)
      addStatus(statusBar, host, settings, () => void app.commands.execute(Commands.panel));
  }
};

export default plugin;
