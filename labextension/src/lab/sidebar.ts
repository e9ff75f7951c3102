import type { ILayoutRestorer } from '@jupyterlab/application';
import { t } from '../core/text';
import { Commands } from './commands';
import { icon } from './icon';
import { KernelView } from './view';
import type { Host } from './host';
import type { Settings } from './settings';

const SIDEBAR = 'tfmagic-sidebar';

/** The glance at the kernel in front, on the side that the settings say. */
export class Sidebar {
  private readonly view: KernelView;
  private side: 'left' | 'right' | null = null;

  constructor(
    private readonly host: Host,
    private readonly settings: Settings,
    restorer: ILayoutRestorer | null
  ) {
    const openWhole = (model?: string): void =>
      void host.app.commands.execute(Commands.panel, model === undefined ? {} : { model });
    this.view = new KernelView(host.documents, host.connections, openWhole);
    this.view.id = SIDEBAR;
    this.view.title.icon = icon;
    this.view.title.caption = t('TensorFlow in this kernel');
    this.place();
    settings.changed.connect(this.place, this);
    host.connections.revealed.connect(this.reveal, this);
    restorer?.add(this.view, SIDEBAR);
  }

  show(): void {
    this.host.app.shell.activateById(SIDEBAR);
  }

  private reveal(): void {
    this.view.unasked = true;
    this.show();
  }

  private place(): void {
    const { position } = this.settings.chosen;
    if (position === this.side) return;
    const isOpen = this.view.isVisible;
    this.side = position;
    this.host.app.shell.add(this.view, position, { rank: 900, type: 'TensorFlow' });
    if (isOpen) this.reveal();
  }
}
