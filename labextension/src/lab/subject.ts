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

/** A console's path is one that JupyterLab made up, and its name what its tab bears. */
export function called({ type, name, path }: ISessionContext): string {
  return type === 'console' ? name : path || name;
}

export function pathOf(document: Document): string {
  return document.context?.path ?? document.sessionContext.path;
}

/** The notebooks and consoles that are open, and the one of them in front. */
export class Documents implements Subject {
  /** Which document another widget stands for: a panel for the one whose kernel it shows. */
  behind: (widget: Widget) => Document | null = () => null;
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

  /** Another document comes to the front, or the panel of one; what has no kernel (a text) changes nothing. */
  private look(widget: Widget | null): void {
    const front = widget === null || hasSession(widget) ? widget : this.behind(widget);
    if (front === null || front === this.inFront) return;
    this.inFront = front;
    front.disposed.connect(() => {
      if (this.inFront !== front) return;
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
    const { open } = this;
    if (open !== null) this.lastPath = pathOf(open);
    return this.lastPath;
  }

  /** What it is called. */
  get name(): string {
    const { session, path } = this;
    // A notebook that is renamed has its new path before its session has.
    return (session?.type === 'console' ? session.name : path).split('/').at(-1) ?? '';
  }

  get session(): ISessionContext | null {
    return this.open?.sessionContext ?? null;
  }

  get changed(): ISignal<unknown, undefined> {
    return this.documents.changed;
  }

  /** The document, where it is open. */
  get open(): Document | null {
    if (this.document?.isDisposed !== false) this.document = this.documents.at(this.lastPath);
    return this.document;
  }
}
