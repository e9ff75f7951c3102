// Made by `npm run types` from tfmagic/panel/snapshot.schema.json: change that, and this follows.
import { dictionary, flag, integer, known, list, number, oneOf, record, text } from './shape';
import type { Snapshot, HistoryRecord, PlacementRecord, LibrariesRecord, NativeLogRecord } from './schema';

const kernelRecord = record({ pid: integer, started_s: known(number), cell_since_s: known(number) });
const versionsRecord = record({
  tfmagic: text,
  python: text,
  tensorflow: known(text),
  keras: known(text),
  importing: flag
});
const processRecord = record({
  rss_bytes: integer,
  private_bytes: known(integer),
  shared_bytes: known(integer),
  limit_bytes: known(integer),
  limit_used_bytes: known(integer),
  available_bytes: integer,
  free_in_malloc_bytes: known(integer),
  threads: integer,
  cpu_share: known(number)
});
const policyRecord = record({
  asked: text,
  in_force: text,
  why: text,
  variables: dictionary(text),
  calls: list(text),
  trim_threshold_bytes: integer
});
const budgetRecord = record({ text: text, limits: dictionary(integer) });
const sessionRecord = record({ open: flag, native_sessions: integer });
const deviceRecord = record({
  name: text,
  kind: text,
  physical: known(text),
  description: known(text),
  memory_limit_bytes: known(integer),
  used_bytes: known(integer),
  peak_bytes: known(integer)
});
const librariesSummary = record({
  count: integer,
  of_tensorflow: integer,
  since_load: integer,
  loads: known(integer),
  unloads: known(integer),
  duplicates: integer
});
const logRecord = record({
  seq: integer,
  first_s: number,
  last_s: number,
  count: integer,
  severity: oneOf('info', 'warning', 'error', 'fatal'),
  source: text,
  text: text,
  model: known(text)
});
const logSummary = record({ entries: integer, warnings: integer, errors: integer, last: known(logRecord) });
const samplerRecord = record({ interval_s: number, tick_s: known(number), share: known(number) });
const tensorRecord = record({
  name: text,
  dtype: known(text),
  shape: known(list(known(integer))),
  tensor: known(text),
  optional: flag
});
const signatureRecord = record({ name: text, inputs: list(tensorRecord), outputs: list(tensorRecord) });
const placedDeviceRecord = record({
  device: text,
  operations: integer,
  variables: integer,
  bytes: known(integer),
  share: known(number)
});
const modelRow = record({
  name: text,
  kind: text,
  mode: text,
  state: text,
  source: text,
  device: known(text),
  signature: known(signatureRecord),
  variables: known(integer),
  weights_bytes: known(integer),
  constants_bytes: known(integer),
  size_bytes: known(integer),
  held_bytes: integer,
  grew_bytes: known(integer),
  run_peak_bytes: known(integer),
  calls: integer,
  last_latency_s: known(number),
  median_latency_s: known(number),
  last_error: known(text),
  devices: known(list(placedDeviceRecord)),
  moved: known(integer),
  runs_on: known(list(text)),
  can_park: flag
});
const snapshot = record({
  schema: integer,
  seq: integer,
  time_s: number,
  kernel: kernelRecord,
  versions: versionsRecord,
  process: processRecord,
  policy: policyRecord,
  budget: budgetRecord,
  session: sessionRecord,
  devices: list(deviceRecord),
  libraries: librariesSummary,
  log: logSummary,
  sampler: samplerRecord,
  models: list(modelRow)
});
const pointRecord = record({
  time_s: number,
  rss_bytes: integer,
  models_bytes: integer,
  devices: dictionary(integer)
});
const changeRecord = record({ time_s: number, model: text, bytes: integer });
const eventRecord = record({
  time_s: number,
  kind: oneOf('added', 'renewed', 'replaced', 'parked', 'woken', 'dropped', 'failed'),
  model: text
});
const historyRecord = record({
  schema: integer,
  points: list(pointRecord),
  changes: list(changeRecord),
  events: list(eventRecord)
});
const placedOperationRecord = record({
  name: text,
  type: text,
  requested: known(text),
  actual: text,
  moved: flag,
  share: known(number)
});
const placedVariableRecord = record({
  name: text,
  dtype: text,
  shape: known(list(known(integer))),
  size_bytes: known(integer),
  requested: known(text),
  actual: known(text),
  moved: flag
});
const placementRecord = record({
  schema: integer,
  model: text,
  known_from: known(text),
  note: known(text),
  devices: known(list(placedDeviceRecord)),
  operations: list(placedOperationRecord),
  variables: list(placedVariableRecord),
  shown: integer,
  total: integer,
  moved: known(integer)
});
const countersRecord = record({ loads: integer, unloads: integer });
const libraryRecord = record({
  name: text,
  version: known(text),
  path: text,
  package: known(text),
  package_version: known(text),
  size_bytes: known(integer),
  resident_bytes: known(integer),
  occasion: text,
  at_s: number,
  since_load: flag,
  of_tensorflow: flag,
  threads: known(text)
});
const occasionRecord = record({
  occasion: text,
  began_s: number,
  ended_s: number,
  before: known(countersRecord),
  after: known(countersRecord),
  brought: list(text),
  since: list(text)
});
const duplicateRecord = record({ kind: text, name: text, paths: list(text), why: text });
const settingRecord = record({
  name: text,
  value: known(text),
  at_start: known(text),
  decides: text,
  libraries: list(text)
});
const neededRecord = record({ name: text, version: known(text), found: known(text), loaded: flag });
const gpuRecord = record({
  answer: text,
  reasons: list(text),
  advice: list(text),
  built_with_cuda: known(flag),
  cuda_version: known(text),
  cudnn_version: known(text),
  needs: list(neededRecord),
  searched: list(text),
  absent_folders: integer,
  driver: known(text),
  device_files: list(text),
  in_use: known(list(text))
});
const opRecord = record({ name: text, inputs: list(text), outputs: list(text), devices: list(text) });
const opLibraryRecord = record({
  path: text,
  at_s: number,
  through: text,
  ops: list(opRecord),
  kernels_for: list(text)
});
const librariesRecord = record({
  call: text,
  counters: known(countersRecord),
  counters_at_load: known(countersRecord),
  loaded_at_s: number,
  since_load: list(text),
  gone_since_load: list(text),
  libraries: list(libraryRecord),
  resident_at_s: known(number),
  resident_age_s: known(number),
  occasions: list(occasionRecord),
  duplicates: list(duplicateRecord),
  settings: list(settingRecord),
  gpu: gpuRecord,
  op_libraries: list(opLibraryRecord)
});
const nativeLogRecord = record({
  mode: oneOf('capture', 'pass', 'off'),
  entries: list(logRecord),
  let_go: integer
});

export const isSnapshot = (value: unknown): value is Snapshot => snapshot(value);
export const isHistoryRecord = (value: unknown): value is HistoryRecord => historyRecord(value);
export const isPlacementRecord = (value: unknown): value is PlacementRecord => placementRecord(value);
export const isLibrariesRecord = (value: unknown): value is LibrariesRecord => librariesRecord(value);
export const isNativeLogRecord = (value: unknown): value is NativeLogRecord => nativeLogRecord(value);
