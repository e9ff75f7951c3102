import { showErrorMessage } from '@jupyterlab/apputils';
import { t } from '../core/text';
import { Commands } from './commands';
import { icon } from './icon';
import { pathOf } from './subject';
import type { Host } from './host';
import type { Panels } from './panels';
import type { Sidebar } from './sidebar';

/** Where there is nothing to load: tfmagic is there, or the kernel's language is not Python. */
const LOADED_OR_CANNOT = new Set(['there', 'foreign']);
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
    execute: ({ path, model }) => {
      const { front } = documents;
      const wanted = typeof path === 'string' ? path : front === null ? null : pathOf(front);
      if (wanted === null) return null;
      const panel = panels.open(wanted);
      if (typeof model === 'string') panel.content.showPlacement(model);
      return panel;
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
    isEnabled: () => {
      const kernel = documents.session?.session?.kernel ?? null;
      return kernel !== null && !LOADED_OR_CANNOT.has(connections.of(kernel).presence);
    },
    execute: async () => {
      const kernel = documents.session?.session?.kernel ?? null;
      const trouble = kernel === null ? null : await connections.of(kernel).loading.start();
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
