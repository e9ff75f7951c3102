// Made by `npm run types` from tfmagic/panel/snapshot.schema.json: change that, and this follows.

/**
 * Made by scripts/make_schema.py from the records of the package. null is: not known.
 */
export type Message = Snapshot | HistoryRecord | PlacementRecord | LibrariesRecord | NativeLogRecord | Reply;

/**
 * Everything that a view draws, at one time.
 */
export interface Snapshot {
  /**
   * The version of this record.
   */
  schema: number;
  /**
   * Grows by one with each snapshot of a process.
   */
  seq: number;
  /**
   * Seconds since the epoch.
   */
  time_s: number;
  kernel: KernelRecord;
  versions: VersionsRecord;
  process: ProcessRecord;
  policy: PolicyRecord;
  budget: BudgetRecord;
  session: SessionRecord;
  devices: DeviceRecord[];
  libraries: LibrariesSummary;
  log: LogSummary;
  sampler: SamplerRecord;
  models: ModelRow[];
}
/**
 * Whose snapshot it is. None stands for what is not known.
 */
export interface KernelRecord {
  /**
   * The process.
   */
  pid: number;
  /**
   * When it began, in seconds since the epoch.
   */
  started_s: number | null;
  /**
   * When the cell that is running began; None between cells.
   */
  cell_since_s: number | null;
}
/**
 * What is installed; None for what is not imported yet.
 */
export interface VersionsRecord {
  tfmagic: string;
  python: string;
  tensorflow: string | null;
  keras: string | null;
  /**
   * Whether TensorFlow is being imported at this moment, which takes seconds.
   */
  importing: boolean;
}
/**
 * What the process uses. None stands for what is not known.
 */
export interface ProcessRecord {
  /**
   * As in `ProcessMemoryRecord`.
   */
  rss_bytes: number;
  /**
   * As in `ProcessMemoryRecord`.
   */
  private_bytes: number | null;
  /**
   * As in `ProcessMemoryRecord`.
   */
  shared_bytes: number | null;
  /**
   * As in `ProcessMemoryRecord`.
   */
  limit_bytes: number | null;
  /**
   * As in `ProcessMemoryRecord`.
   */
  limit_used_bytes: number | null;
  /**
   * As in `ProcessMemoryRecord`.
   */
  available_bytes: number;
  /**
   * As in `ProcessMemoryRecord`.
   */
  free_in_malloc_bytes: number | null;
  /**
   * All of them, TensorFlow's own included.
   */
  threads: number;
  /**
   * Processor seconds a second since the last look: 1.0 is one core.
   */
  cpu_share: number | null;
}
/**
 * The memory policy as plain data.
 */
export interface PolicyRecord {
  /**
   * ``return`` or ``pool``; in force may also be ``partly`` (TensorFlow had its memory before tfmagic was loaded, or the platform has no call to give any back).
   */
  asked: string;
  /**
   * ``return`` or ``pool``; in force may also be ``partly`` (TensorFlow had its memory before tfmagic was loaded, or the platform has no call to give any back).
   */
  in_force: string;
  /**
   * One sentence.
   */
  why: string;
  /**
   * The environment variables that tfmagic set, until TensorFlow had read them; the user's own are left alone.
   */
  variables: {
    [k: string]: string;
  };
  /**
   * The settings made in malloc.
   */
  calls: string[];
  /**
   * Free memory above this is given back between cells.
   */
  trim_threshold_bytes: number;
}
/**
 * What the models may take together.
 */
export interface BudgetRecord {
  /**
   * As it was set; empty for no limit.
   */
  text: string;
  /**
   * In bytes by device, with ``""`` for the memory that all share.
   */
  limits: {
    [k: string]: number;
  };
}
/**
 * The one session.
 */
export interface SessionRecord {
  /**
   * Whether it has any native session.
   */
  open: boolean;
  /**
   * One for each graph that was run and is not parked.
   */
  native_sessions: number;
}
/**
 * One logical device. None stands for what is not known.
 */
export interface DeviceRecord {
  /**
   * As a model asks for it: ``CPU:0``.
   */
  name: string;
  /**
   * ``CPU``, ``GPU`` or another type of TensorFlow's.
   */
  kind: string;
  /**
   * The physical device that it is a part of; several may share one.
   */
  physical: string | null;
  /**
   * The name of the processor or the card.
   */
  description: string | null;
  /**
   * The allocator's limit. TensorFlow has no such limit on a CPU.
   */
  memory_limit_bytes: number | null;
  /**
   * What the allocator reports; the CPU's does not under the policy "return".
   */
  used_bytes: number | null;
  /**
   * What the allocator reports; the CPU's does not under the policy "return".
   */
  peak_bytes: number | null;
}
/**
 * The figures of a moment. None stands for what the platform does not count.
 */
export interface LibrariesSummary {
  /**
   * How many shared objects are loaded, the program included.
   */
  count: number;
  /**
   * How many of them are TensorFlow's own files or came with its import.
   */
  of_tensorflow: number;
  /**
   * How many came since the baseline and are still there.
   */
  since_load: number;
  /**
   * The loader's counters.
   */
  loads: number | null;
  /**
   * The loader's counters.
   */
  unloads: number | null;
  /**
   * How many things are there more than once.
   */
  duplicates: number;
}
/**
 * The log in figures.
 */
export interface LogSummary {
  /**
   * How many different messages there are.
   */
  entries: number;
  /**
   * How many are warnings, and how many are errors or say that memory ran out.
   */
  warnings: number;
  /**
   * How many are warnings, and how many are errors or say that memory ran out.
   */
  errors: number;
  /**
   * The message that came last.
   */
  last: LogRecord | null;
}
/**
 * A message of TensorFlow's.
 */
export interface LogRecord {
  /**
   * Its number, in the order in which messages first came, from 1.
   */
  seq: number;
  /**
   * When it came first and last, in seconds since 1970.
   */
  first_s: number;
  /**
   * When it came first and last, in seconds since 1970.
   */
  last_s: number;
  /**
   * How often it came.
   */
  count: number;
  /**
   * ``info``, ``warning``, ``error`` or ``fatal``, as TensorFlow says.
   */
  severity: 'info' | 'warning' | 'error' | 'fatal';
  /**
   * TensorFlow's file and line; empty where it named none.
   */
  source: string;
  /**
   * Its text, as it came first.
   */
  text: string;
  /**
   * The models that ran when it came, joined with commas; None where none did.
   */
  model: string | null;
}
/**
 * What the sampler itself costs. None stands for what is not known yet.
 */
export interface SamplerRecord {
  /**
   * The time from one look to the next.
   */
  interval_s: number;
  /**
   * The processor time that a look takes: the mean of the last half minute.
   */
  tick_s: number | null;
  /**
   * The same as a share of one core.
   */
  share: number | null;
}
/**
 * One registered model. None stands for what is not known.
 */
export interface ModelRow {
  name: string;
  kind: string;
  mode: string;
  /**
   * ``ready``, ``running``, ``stopping``, ``parked`` or ``failed``.
   */
  state: string;
  source: string;
  /**
   * The device that was requested when the model was added.
   */
  device: string | null;
  /**
   * The signature that calls use by default.
   */
  signature: SignatureRecord | null;
  /**
   * As in `ModelRecord`; for a parked model the values that it has once it is loaded.
   */
  variables: number | null;
  /**
   * As in `ModelRecord`; for a parked model the values that it has once it is loaded.
   */
  weights_bytes: number | null;
  /**
   * As in `ModelRecord`; for a parked model the values that it has once it is loaded.
   */
  constants_bytes: number | null;
  /**
   * Its variables and constants together.
   */
  size_bytes: number | null;
  /**
   * The memory that it takes now, with the copies of variables for faster calls; 0 while it is parked.
   */
  held_bytes: number;
  grew_bytes: number | null;
  run_peak_bytes: number | null;
  calls: number;
  last_latency_s: number | null;
  median_latency_s: number | null;
  last_error: string | null;
  /**
   * The devices that a traced run has shown; None before the first.
   */
  devices: PlacedDeviceRecord[] | null;
  /**
   * How many operations and variables are on another device than the requested one.
   */
  moved: number | null;
  /**
   * The devices that it runs on: those of `devices`, or the only one that there is; None where that is not known.
   */
  runs_on: string[] | null;
  /**
   * Whether ``park`` would free memory.
   */
  can_park: boolean;
}
/**
 * A signature as plain data.
 */
export interface SignatureRecord {
  name: string;
  inputs: TensorRecord[];
  outputs: TensorRecord[];
}
/**
 * An input or output as plain data.
 */
export interface TensorRecord {
  name: string;
  dtype: string | null;
  shape: (number | null)[] | null;
  tensor: string | null;
  optional: boolean;
}
/**
 * The operations and variables of a run on one device.
 */
export interface PlacedDeviceRecord {
  device: string;
  operations: number;
  variables: number;
  /**
   * The size of the variables there; None where one of them has no fixed shape.
   */
  bytes: number | null;
  /**
   * Of the time of all operations together, where it was measured.
   */
  share: number | null;
}
/**
 * What was, the oldest first.
 */
export interface HistoryRecord {
  schema: number;
  /**
   * One a second of the last ten minutes that were watched, fewer of the time before.
   */
  points: PointRecord[];
  /**
   * What each model takes, where that changed.
   */
  changes: ChangeRecord[];
  /**
   * What has happened to models.
   */
  events: EventRecord[];
}
/**
 * The process at one time.
 */
export interface PointRecord {
  time_s: number;
  rss_bytes: number;
  /**
   * What all models that are there hold.
   */
  models_bytes: number;
  /**
   * What each device's allocator reports, of those that do.
   */
  devices: {
    [k: string]: number;
  };
}
/**
 * A model takes so much from this time on; 0 where it is parked or gone.
 */
export interface ChangeRecord {
  time_s: number;
  model: string;
  bytes: number;
}
/**
 * One event.
 */
export interface EventRecord {
  /**
   * Seconds since the epoch.
   */
  time_s: number;
  /**
   * What happened.
   */
  kind: 'added' | 'renewed' | 'replaced' | 'parked' | 'woken' | 'dropped' | 'failed';
  /**
   * The model's name.
   */
  model: string;
}
/**
 * Where a model is. None stands for what is not known.
 */
export interface PlacementRecord {
  schema: number;
  model: string;
  /**
   * The run that has shown it; None where none has, and `note` says why.
   */
  known_from: string | null;
  note: string | null;
  /**
   * The busiest first.
   */
  devices: PlacedDeviceRecord[] | null;
  /**
   * The moved ones first, then the slowest.
   */
  operations: PlacedOperationRecord[];
  variables: PlacedVariableRecord[];
  /**
   * How many operations are given, and how many there are.
   */
  shown: number;
  /**
   * How many operations are given, and how many there are.
   */
  total: number;
  /**
   * How many operations and variables are on another device than the requested one.
   */
  moved: number | null;
}
/**
 * One operation of a run. None stands for what is not known.
 */
export interface PlacedOperationRecord {
  /**
   * As TensorFlow ran it: one operation may have replaced several.
   */
  name: string;
  /**
   * As TensorFlow ran it: one operation may have replaced several.
   */
  type: string;
  /**
   * The requested device; None where none was.
   */
  requested: string | null;
  /**
   * The device that it ran on, from the run's partition graphs.
   */
  actual: string;
  /**
   * Whether it ran on another device than the requested one.
   */
  moved: boolean;
  /**
   * The part of the time of all operations.
   */
  share: number | null;
}
/**
 * One variable; its actual device is None where the run did not use it.
 */
export interface PlacedVariableRecord {
  name: string;
  dtype: string;
  shape: (number | null)[] | null;
  size_bytes: number | null;
  requested: string | null;
  actual: string | null;
  moved: boolean;
}
/**
 * Everything that is known of the process's shared objects.
 */
export interface LibrariesRecord {
  /**
   * The platform's call that listed them.
   */
  call: string;
  /**
   * The loader's counters, now and at the baseline; None where it has none.
   */
  counters: CountersRecord | null;
  /**
   * The loader's counters, now and at the baseline; None where it has none.
   */
  counters_at_load: CountersRecord | null;
  /**
   * When the baseline was taken.
   */
  loaded_at_s: number;
  /**
   * Paths of the libraries loaded since then, and of those unloaded.
   */
  since_load: string[];
  /**
   * Paths of the libraries loaded since then, and of those unloaded.
   */
  gone_since_load: string[];
  libraries: LibraryRecord[];
  /**
   * When resident sizes were sampled, and how long ago.
   */
  resident_at_s: number | null;
  /**
   * When resident sizes were sampled, and how long ago.
   */
  resident_age_s: number | null;
  occasions: OccasionRecord[];
  duplicates: DuplicateRecord[];
  settings: SettingRecord[];
  gpu: GpuRecord;
  /**
   * The custom op libraries that were loaded through tfmagic.
   */
  op_libraries: OpLibraryRecord[];
}
/**
 * The loader's own counters: how often the process has loaded and unloaded anything.
 */
export interface CountersRecord {
  loads: number;
  unloads: number;
}
/**
 * One shared object. None stands for what is not known.
 */
export interface LibraryRecord {
  /**
   * The name under which it was loaded, such as ``libz.so.1``.
   */
  name: string;
  /**
   * What it tells threadpoolctl, or else the end of its file name.
   */
  version: string | null;
  /**
   * The file, with links followed.
   */
  path: string;
  /**
   * The installed package that the file belongs to.
   */
  package: string | null;
  /**
   * The installed package that the file belongs to.
   */
  package_version: string | null;
  /**
   * Size on disk; None if the file is gone.
   */
  size_bytes: number | null;
  /**
   * Size in memory at the last sample.
   */
  resident_bytes: number | null;
  /**
   * The phase in which it came: ``import of tensorflow``, ``model NAME``, ``custom op``, ``other``, or ``there before tfmagic``.
   */
  occasion: string;
  /**
   * When it was first seen, in seconds since the epoch.
   */
  at_s: number;
  /**
   * Whether it came after the baseline.
   */
  since_load: boolean;
  /**
   * Whether it is TensorFlow's own file or came with its import.
   */
  of_tensorflow: boolean;
  /**
   * Kind and thread count of its thread pool, if threadpoolctl knows it.
   */
  threads: string | null;
}
/**
 * A phase, such as the build of a model, and what was loaded in it.
 */
export interface OccasionRecord {
  /**
   * The phase's name.
   */
  occasion: string;
  /**
   * In seconds since the epoch.
   */
  began_s: number;
  /**
   * In seconds since the epoch.
   */
  ended_s: number;
  /**
   * The loader's counters; equal if nothing was loaded.
   */
  before: CountersRecord | null;
  /**
   * The loader's counters; equal if nothing was loaded.
   */
  after: CountersRecord | null;
  /**
   * Paths of the libraries that came in it.
   */
  brought: string[];
  /**
   * Paths of the libraries that have come after it and are still loaded.
   */
  since: string[];
}
/**
 * Something that is loaded or registered more than once.
 */
export interface DuplicateRecord {
  /**
   * ``same library``, ``OpenMP``, ``TensorFlow's second copy`` or ``operation``.
   */
  kind: string;
  name: string;
  /**
   * Where the copies come from.
   */
  paths: string[];
  /**
   * One sentence: what it means.
   */
  why: string;
}
/**
 * One environment variable.
 */
export interface SettingRecord {
  name: string;
  /**
   * The current value; ``(not shown)`` if the name suggests a secret.
   */
  value: string | null;
  /**
   * The value when the process began, if the loader read it then and it has changed; None if it is the same, or not known.
   */
  at_start: string | null;
  /**
   * What it decides, in a clause.
   */
  decides: string;
  /**
   * The loaded libraries that were found through it, as far as their paths tell.
   */
  libraries: string[];
}
/**
 * Whether TensorFlow can use a GPU here, and if not, why. None stands for what is not known.
 */
export interface GpuRecord {
  /**
   * One sentence.
   */
  answer: string;
  /**
   * Why no GPU is used, the first of them in the answer; none where one is used.
   */
  reasons: string[];
  /**
   * What to type in a terminal for a TensorFlow that uses a GPU, where that is what is lacking.
   */
  advice: string[];
  /**
   * Whether TensorFlow was built for CUDA; None without TensorFlow.
   */
  built_with_cuda: boolean | null;
  /**
   * The versions that it was built with.
   */
  cuda_version: string | null;
  /**
   * The versions that it was built with.
   */
  cudnn_version: string | null;
  /**
   * The libraries it opens.
   */
  needs: NeededRecord[];
  /**
   * The existing folders that were searched, in order.
   */
  searched: string[];
  /**
   * How many more folders would be searched if they existed.
   */
  absent_folders: number;
  /**
   * The path of the driver's library.
   */
  driver: string | null;
  /**
   * The device files that the driver has made.
   */
  device_files: string[];
  /**
   * The GPUs that TensorFlow has made devices of; None before it has looked.
   */
  in_use: string[] | null;
}
/**
 * A library that TensorFlow opens when it looks for GPUs.
 */
export interface NeededRecord {
  /**
   * The file's name, such as ``libcudnn.so.9``.
   */
  name: string;
  /**
   * The version that TensorFlow was built with, if it says.
   */
  version: string | null;
  /**
   * Its path; None if it is in none of the folders searched.
   */
  found: string | null;
  loaded: boolean;
}
/**
 * A custom op library.
 */
export interface OpLibraryRecord {
  path: string;
  /**
   * When it was loaded, or first seen loaded, in seconds since the epoch.
   */
  at_s: number;
  /**
   * ``tfmagic``, or ``tf.load_op_library`` if the user's code loaded it.
   */
  through: string;
  /**
   * The operations that it registered.
   */
  ops: OpRecord[];
  /**
   * Operations of other libraries that it registered kernels for.
   */
  kernels_for: string[];
}
/**
 * An operation.
 */
export interface OpRecord {
  name: string;
  /**
   * Each as ``name: type``.
   */
  inputs: string[];
  /**
   * Each as ``name: type``.
   */
  outputs: string[];
  /**
   * The devices for which the library has kernels.
   */
  devices: string[];
}
/**
 * The log as it stands.
 */
export interface NativeLogRecord {
  mode: 'capture' | 'pass' | 'off';
  /**
   * The messages, in the order in which they first came.
   */
  entries: LogRecord[];
  /**
   * How many messages were dropped to make room for others.
   */
  let_go: number;
}
/**
 * The answer to one request.
 */
export interface Reply {
  schema: number;
  /**
   * The request's own.
   */
  id: string;
  /**
   * Whether it was done.
   */
  ok: boolean;
  /**
   * A record, where one was asked for.
   */
  result: {
    [k: string]: unknown;
  };
  /**
   * What was done, in a sentence or a few lines.
   */
  said: string | null;
  /**
   * Why it was not done, in a line.
   */
  error: string | null;
}
