import type { ISessionContext } from '@jupyterlab/apputils';
import type { IConsoleTracker } from '@jupyterlab/console';
import type { INotebookTracker } from '@jupyterlab/notebook';
import type { JupyterFrontEnd, ILabShell } from '@jupyterlab/application';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

/** Whose kernel a view shows: a document's, which may be another one from time to time. */
export interface Subject {
  readonly session: ISessionContext | null;
  readonly changed: ISignal<unknown, undefined>;
}

interface WithSession extends Widget {
  sessionContext: ISessionContext;
}

function hasSession(widget: Widget | null): widget is WithSession {
  return widget !== null && 'sessionContext' in widget;
}

/** The notebooks and consoles that are open, and the one of them in front. */
export class Documents implements Subject {
  private front: WithSession | null = null;
  private readonly changes = new Signal<this, undefined>(this);

  constructor(
    app: JupyterFrontEnd,
    labShell: ILabShell | null,
    private readonly notebooks: INotebookTracker | null,
    private readonly consoles: IConsoleTracker | null
  ) {
    const look = (): void => this.look(labShell === null ? app.shell.currentWidget : labShell.currentWidget);
    labShell?.currentChanged.connect(look);
    for (const tracker of [notebooks, consoles]) {
      tracker?.currentChanged.connect((_, widget) => {
        this.look(widget);
      });
      tracker?.widgetAdded.connect(() => this.changes.emit(undefined));
    }
    void app.restored.then(look);
  }

  get session(): ISessionContext | null {
    return this.front?.sessionContext ?? null;
  }

  get changed(): ISignal<this, undefined> {
    return this.changes;
  }

  /** The open document of this path; null where none is. */
  at(path: string): ISessionContext | null {
    let found: ISessionContext | null = null;
    for (const tracker of [this.notebooks, this.consoles]) {
      tracker?.forEach(({ sessionContext }) => {
        if (sessionContext.path === path) found ??= sessionContext;
      });
    }
    return found;
  }

  /** Another document comes to the front; what has no kernel (a panel, a text) changes nothing. */
  private look(widget: Widget | null): void {
    if (!hasSession(widget) || widget === this.front) return;
    this.front = widget;
    widget.disposed.connect(() => {
      if (this.front !== widget) return;
      this.front = null;
      this.changes.emit(undefined);
    });
    this.changes.emit(undefined);
  }
}

/** The document of one path, whenever it is open. */
export class OneDocument implements Subject {
  constructor(
    private readonly documents: Documents,
    private readonly path: string
  ) {}

  get session(): ISessionContext | null {
    return this.documents.at(this.path);
  }

  get changed(): ISignal<unknown, undefined> {
    return this.documents.changed;
  }
}
