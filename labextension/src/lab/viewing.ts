import { showErrorMessage } from '@jupyterlab/apputils';
import { t } from '../core/text';
import { Commands } from './commands';
import { icon } from './icon';
import { pathOf } from './subject';
import type { Host } from './host';
import type { Panels } from './panels';
import type { Sidebar } from './sidebar';

const EDITOR = 'settingeditor:open';

/** Add the commands that show something, and the one that loads tfmagic so that there is something to show. */
export function addViewCommands(host: Host, panels: Panels, sidebar: Sidebar): void {
  const { commands } = host.app;
  const { documents, connections } = host;
  commands.addCommand(Commands.panel, {
    label: t('Open the TensorFlow panel'),
    caption: t('TensorFlow in this kernel: libraries, placement, memory, models and log'),
    icon,
    isEnabled: ({ path }) => typeof path === 'string' || documents.front !== null,
    execute: ({ path }) => {
      if (typeof path === 'string') return panels.open(path);
      return documents.front === null ? null : panels.open(pathOf(documents.front));
    }
  });
  commands.addCommand(Commands.sidebar, {
    label: t('Show the TensorFlow sidebar'),
    caption: t('TensorFlow in the kernel of the notebook or console in front'),
    icon,
    execute: () => {
      sidebar.show();
    }
  });
  commands.addCommand(Commands.load, {
    label: t('Load tfmagic in this kernel'),
    caption: '%load_ext tfmagic',
    isEnabled: () => (documents.session?.session?.kernel ?? null) !== null,
    execute: async () => {
      const kernel = documents.session?.session?.kernel ?? null;
      const trouble = kernel === null ? null : await connections.of(kernel).load();
      if (trouble !== null) await showErrorMessage(t('Not loaded'), trouble);
    }
  });
  commands.addCommand(Commands.settings, {
    label: t('TensorFlow settings…'),
    caption: t('Settings of the TensorFlow panel'),
    isVisible: () => commands.hasCommand(EDITOR),
    execute: () => commands.execute(EDITOR, { query: 'TensorFlow (tfmagic)' })
  });
}
