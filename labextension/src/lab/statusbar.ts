import type { IStatusBar } from '@jupyterlab/statusbar';
import { StatusItem } from './status';
import type { Host } from './host';
import type { Settings } from './settings';

/** Put memory and models into the status bar, for as long as the settings have it there. */
export function addStatus(statusBar: IStatusBar, host: Host, settings: Settings, open: () => void): void {
  let placed: { dispose(): void } | null = null;
  const update = (): void => {
    const { statusBar: wanted } = settings.chosen;
    if (wanted && placed === null) {
      const item = new StatusItem(host.documents, host.connections, open);
      const registered = statusBar.registerStatusItem('tfmagic:status', {
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
  settings.changed.connect(update);
  update();
}
