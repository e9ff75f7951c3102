import type { History, LibraryReport, LogEntry, Placement, Snapshot } from './snapshot';

/** What a page may ask of the kernel; anything else is refused there. */
export interface Results {
  watch: unknown;
  revealed: unknown;
  snapshot: Snapshot;
  history: History;
  libraries: LibraryReport;
  log: LogEntry[];
  show: unknown;
  placement: Placement;
  park: unknown;
  wake: unknown;
  drop: unknown;
  trace: unknown;
}

export type RequestKind = keyof Results;
export type ModelRequest = 'show' | 'placement' | 'park' | 'wake' | 'drop' | 'trace';
export interface Fields {
  looking?: boolean;
  page?: string;
  interval_s?: number;
  model?: string;
}

export interface Reply<Result> {
  result: Result;
  /** A sentence for the person, where there is one. */
  said: string | null;
}

/**
 * `waiting`: nothing came yet. `stale`: three intervals without a snapshot.
 * `gone`: the kernel of this panel has ended or was restarted.
 */
export type Status = 'waiting' | 'live' | 'stale' | 'gone';

/** What the panel draws and whom it asks. The widget and JupyterLab each bring one. */
export interface Store {
  readonly snapshot: Snapshot | null;
  readonly history: History | null;
  readonly status: Status;
  /** Why nothing can be drawn (another schema version), as a sentence. */
  readonly problem: string | null;
  /** Milliseconds since the last snapshot came, by this page's clock. */
  ageMs(): number | null;
  /** Call back on every change; returns what ends it. */
  subscribe(listener: () => void): () => void;
  request<Kind extends RequestKind>(kind: Kind, fields?: Fields): Promise<Reply<Results[Kind]>>;
  /** Tell whether `viewer` is seen by a person: the kernel's sampler sleeps when nobody looks. */
  look(viewer: object, looking: boolean): void;
}
