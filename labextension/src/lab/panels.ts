import type { ILayoutRestorer } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { t } from '../core/text';
import { Commands } from './commands';
import { icon } from './icon';
import { OneDocument } from './subject';
import { KernelView } from './view';
import type { Host } from './host';

type Panel = MainAreaWidget<KernelView>;

/** The whole panels, one a document; a document that is renamed keeps its own. */
export class Panels {
  private readonly tracker = new WidgetTracker<Panel>({ namespace: 'tfmagic-panel' });
  private readonly subjects = new WeakMap<Panel, OneDocument>();

  constructor(private readonly host: Host) {
    host.documents.changed.connect(() => {
      this.tracker.forEach(panel => {
        if (panel.title.caption !== this.pathOf(panel)) {
          this.name(panel);
          void this.tracker.save(panel);
        }
      });
    });
  }

  /** Have the layout bring them back, which opens each by its path. */
  restoreWith(restorer: ILayoutRestorer): void {
    void restorer.restore(this.tracker, {
      command: Commands.panel,
      args: panel => ({ path: this.pathOf(panel) }),
      name: panel => this.pathOf(panel)
    });
  }

  /** Bring a document's panel to the front, and make it where there is none. */
  open(path: string): Panel {
    const { shell } = this.host.app;
    let panel = this.tracker.find(one => this.pathOf(one) === path);
    if (panel === undefined) {
      const subject = new OneDocument(this.host.documents, path);
      panel = new MainAreaWidget({ content: new KernelView(subject, this.host.connections, false) });
      panel.title.icon = icon;
      panel.title.closable = true;
      this.subjects.set(panel, subject);
      this.name(panel);
      // Notebook 7 has room for one document in its middle, and for more below it.
      if (this.host.labShell === null) {
        panel.addClass('tfm-lab-below');
        shell.add(panel, 'down', { type: 'TensorFlow' });
      } else shell.add(panel, 'main', { mode: 'split-right', type: 'TensorFlow' });
      void this.tracker.add(panel);
    }
    shell.activateById(panel.id);
    return panel;
  }

  private pathOf(panel: Panel): string {
    return this.subjects.get(panel)?.path ?? '';
  }

  private name(panel: Panel): void {
    const path = this.pathOf(panel);
    panel.id = `tfmagic-panel-${path}`;
    panel.title.label = t('TensorFlow: {path}', { path: path.split('/').at(-1) ?? path });
    panel.title.caption = path;
  }
}
