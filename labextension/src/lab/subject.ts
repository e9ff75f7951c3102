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

/** A notebook or a console. */
export interface Document extends Widget {
  sessionContext: ISessionContext;
  /** Of what is a file; it knows the path also where no kernel runs. */
  context?: { path: string; pathChanged: ISignal<unknown, string> };
}

function hasSession(widget: Widget | null): widget is Document {
  return widget !== null && 'sessionContext' in widget;
}

export function pathOf(document: Document): string {
  return document.context?.path ?? document.sessionContext.path;
}

/** The notebooks and consoles that are open, and the one of them in front. */
export class Documents implements Subject {
  private inFront: Document | null = null;
  private readonly changes = new Signal<this, undefined>(this);

  constructor(
    app: JupyterFrontEnd,
    labShell: ILabShell | null,
    private readonly notebooks: INotebookTracker | null,
    private readonly consoles: IConsoleTracker | null
  ) {
    const shell = labShell ?? app.shell;
    const look = (): void => this.look(shell.currentWidget);
    shell.currentChanged?.connect(look);
    const tell = (): void => this.changes.emit(undefined);
    for (const tracker of [notebooks, consoles]) {
      tracker?.currentChanged.connect((_, widget) => {
        this.look(widget);
      });
      tracker?.widgetAdded.connect((_, widget: Document) => {
        widget.context?.pathChanged.connect(tell);
        widget.sessionContext.propertyChanged.connect(tell);
        tell();
      });
    }
    void app.restored.then(look);
  }

  get front(): Document | null {
    return this.inFront;
  }

  get session(): ISessionContext | null {
    return this.inFront?.sessionContext ?? null;
  }

  get changed(): ISignal<this, undefined> {
    return this.changes;
  }

  /** The open document of this path; null where none is. */
  at(path: string): Document | null {
    let found: Document | null = null;
    for (const tracker of [this.notebooks, this.consoles]) {
      tracker?.forEach((widget: Document) => {
        if (pathOf(widget) === path) found ??= widget;
      });
    }
    return found;
  }

  /** Another document comes to the front; what has no kernel (a panel, a text) changes nothing. */
  private look(widget: Widget | null): void {
    if (!hasSession(widget) || widget === this.inFront) return;
    this.inFront = widget;
    widget.disposed.connect(() => {
      if (this.inFront !== widget) return;
      this.inFront = null;
      this.changes.emit(undefined);
    });
    this.changes.emit(undefined);
  }
}

/** One document, whenever it is open: found by its path, and then followed wherever it is moved. */
export class OneDocument implements Subject {
  private document: Document | null = null;

  constructor(
    private readonly documents: Documents,
    private lastPath: string
  ) {}

  get path(): string {
    const document = this.find();
    if (document !== null) this.lastPath = pathOf(document);
    return this.lastPath;
  }

  get session(): ISessionContext | null {
    return this.find()?.sessionContext ?? null;
  }

  get changed(): ISignal<unknown, undefined> {
    return this.documents.changed;
  }

  private find(): Document | null {
    if (this.document?.isDisposed !== false) this.document = this.documents.at(this.lastPath);
    return this.document;
  }
}
