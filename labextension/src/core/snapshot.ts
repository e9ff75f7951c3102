/**
 * What the kernel tells the page: version 1 of the contract in tfmagic/panel/snapshot.schema.json.
 * `null` means "not known" and is drawn as that, never as 0.
 */
export const SCHEMA = 1;

export interface Snapshot {
  schema: 1;
  /** Grows by one with each snapshot of a kernel. */
  seq: number;
  /** Seconds since the epoch, by the kernel's clock. */
  time_s: number;
  kernel: { pid: number; started_s: number | null; cell_since_s: number | null };
  versions: { tfmagic: string; python: string; tensorflow: string | null; keras: string | null };
  process: ProcessMemory;
  policy: { asked: string; in_force: string; why: string };
  /** `text` is what the person set; the limits are by device, "" being the host. */
  budget: { text: string; limits: Record<string, number> };
  session: { open: boolean; native_sessions: number };
  devices: Device[];
  libraries: LibraryCounts | null;
  log: { entries: number; warnings: number; errors: number; last: LogEntry | null };
  sampler: { interval_s: number; tick_s: number | null; share: number | null };
  models: ModelRow[];
}

export interface ProcessMemory {
  rss_bytes: number;
  private_bytes: number | null;
  shared_bytes: number | null;
  limit_bytes: number | null;
  limit_used_bytes: number | null;
  available_bytes: number;
  free_in_malloc_bytes: number | null;
  threads: number;
  /** 1.0 is one core. */
  cpu_share: number | null;
}

export interface Device {
  name: string;
  kind: string;
  memory_limit_bytes: number | null;
  used_bytes: number | null;
  peak_bytes: number | null;
}

export interface LibraryCounts {
  count: number;
  of_tensorflow: number;
  since_load: number;
  loads: number | null;
  unloads: number | null;
  duplicates: number;
}

export type ModelState = 'ready' | 'running' | 'stopping' | 'parked' | 'failed';

export interface ModelRow {
  name: string;
  kind: string;
  mode: 'graph' | 'eager';
  state: ModelState;
  source: string;
  /** The device that was asked for. */
  device: string | null;
  signature: Signature | null;
  variables: number | null;
  weights_bytes: number | null;
  constants_bytes: number | null;
  grew_bytes: number | null;
  run_peak_bytes: number | null;
  calls: number;
  last_latency_s: number | null;
  median_latency_s: number | null;
  last_error: string | null;
  /** Where it really runs; null until a run has told. */
  devices: DeviceShare[] | null;
  /** How many operations and variables are elsewhere than asked for. */
  moved: number | null;
  can_park: boolean;
}

export interface DeviceShare {
  device: string;
  operations: number;
  variables: number;
  bytes: number | null;
  share: number | null;
}

export interface Signature {
  name: string;
  inputs: End[];
  outputs: End[];
}

export interface End {
  name: string;
  dtype: string | null;
  shape: (number | null)[] | null;
  optional: boolean;
}

export type Severity = 'info' | 'warning' | 'error' | 'fatal';

export interface LogEntry {
  seq: number;
  first_s: number;
  last_s: number;
  count: number;
  severity: Severity;
  source: string | null;
  text: string;
  model: string | null;
}

export interface History {
  schema: 1;
  points: HistoryPoint[];
  /** A model's bytes from that time on. */
  changes: { time_s: number; model: string; bytes: number }[];
  events: HistoryEvent[];
}

export interface HistoryPoint {
  time_s: number;
  rss_bytes: number;
  models_bytes: number;
  devices: Record<string, number>;
}

export type EventKind =
  'added' | 'renewed' | 'replaced' | 'parked' | 'woken' | 'dropped' | 'reset' | 'failed';

export interface HistoryEvent {
  time_s: number;
  kind: EventKind;
  model: string;
}

export interface Placement {
  schema: 1;
  model: string;
  /** Where the placement is known from, as a sentence; null with a note that says why not. */
  known_from: string | null;
  note: string | null;
  devices: DeviceShare[] | null;
  operations: PlacedOperation[];
  variables: PlacedVariable[];
  /** The kernel sends the first `shown` of `total` operations, the slowest and the moved first. */
  shown: number;
  total: number;
}

export interface PlacedOperation {
  name: string;
  type: string;
  requested: string | null;
  actual: string | null;
  moved: boolean;
  share: number | null;
}

export interface PlacedVariable {
  name: string;
  dtype: string;
  shape: (number | null)[] | null;
  size_bytes: number | null;
  requested: string | null;
  actual: string | null;
  moved: boolean;
}
