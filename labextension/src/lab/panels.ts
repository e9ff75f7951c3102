import type { ILayoutRestorer } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { t } from '../core/text';
import { Commands } from './commands';
import { icon } from './icon';
import { OneDocument } from './subject';
import { KernelView } from './view';
import type { Host } from './host';

type Panel = MainAreaWidget<KernelView>;

const SIDE_BY_SIDE = 2;

/** The whole panels, one a document; a document that is renamed keeps its own. */
export class Panels {
  private readonly tracker = new WidgetTracker<Panel>({ namespace: 'tfmagic-panel' });
  private readonly subjects = new WeakMap<Panel, OneDocument>();

  constructor(private readonly host: Host) {
    host.documents.behind = widget => this.subjects.get(widget as Panel)?.open ?? null;
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
      panel = new MainAreaWidget({ content: new KernelView(subject, this.host.connections, null) });
      panel.title.icon = icon;
      panel.title.closable = true;
      this.subjects.set(panel, subject);
      this.name(panel);
      // Notebook 7 has room for one document in its middle, and for more below it.
      if (this.host.labShell === null) {
        panel.addClass('tfm-lab-below');
        shell.add(panel, 'down', { type: 'TensorFlow' });
      } else this.addBeside(panel);
      void this.tracker.add(panel);
    }
    shell.activateById(panel.id);
    return panel;
  }

  /** To the right of the documents, a second one beside the first; more of them would be too narrow. */
  private addBeside(panel: Panel): void {
    const open: Panel[] = [];
    this.tracker.forEach(one => open.push(one));
    const last = open.at(-1);
    const where =
      last === undefined || open.length < SIDE_BY_SIDE
        ? ({ mode: 'split-right' } as const)
        : ({ mode: 'tab-after', ref: last.id } as const);
    this.host.app.shell.add(panel, 'main', { ...where, type: 'TensorFlow' });
  }

  private pathOf(panel: Panel): string {
    return this.subjects.get(panel)?.path ?? '';
  }

  private name(panel: Panel): void {
    const path = this.pathOf(panel);
    panel.id = `tfmagic-panel-${path}`;
    panel.title.label = t('TensorFlow: {path}', { path: this.subjects.get(panel)?.name ?? path });
    panel.title.caption = path;
  }
}
