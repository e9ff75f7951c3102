import { dictionary, flag, isRecord, known, list, number, oneOf, record, text } from './shape';
import {
  SCHEMA,
  type History,
  type LibraryReport,
  type LogEntry,
  type Placement,
  type Snapshot
} from './snapshot';

const schema = oneOf(SCHEMA);
const maybe = known(number);

const end = record({ name: text, dtype: known(text), shape: known(list(maybe)), optional: flag });

const deviceShares = list(
  record({ device: text, operations: number, variables: number, bytes: maybe, share: maybe })
);

const logEntry = record({
  seq: number,
  first_s: number,
  last_s: number,
  count: number,
  severity: oneOf('info', 'warning', 'error', 'fatal'),
  source: text,
  text,
  model: known(text)
});

const modelRow = record({
  name: text,
  kind: text,
  mode: text,
  state: text,
  source: text,
  device: known(text),
  signature: known(record({ name: text, inputs: list(end), outputs: list(end) })),
  variables: maybe,
  weights_bytes: maybe,
  constants_bytes: maybe,
  size_bytes: maybe,
  held_bytes: number,
  grew_bytes: maybe,
  run_peak_bytes: maybe,
  calls: number,
  last_latency_s: maybe,
  median_latency_s: maybe,
  last_error: known(text),
  devices: known(deviceShares),
  moved: maybe,
  runs_on: known(list(text)),
  can_park: flag
});

const snapshot = record({
  schema,
  seq: number,
  time_s: number,
  kernel: record({ pid: number, started_s: maybe, cell_since_s: maybe }),
  versions: record({ tfmagic: text, python: text, tensorflow: known(text), keras: known(text) }),
  process: record({
    rss_bytes: number,
    private_bytes: maybe,
    shared_bytes: maybe,
    limit_bytes: maybe,
    limit_used_bytes: maybe,
    available_bytes: number,
    free_in_malloc_bytes: maybe,
    threads: number,
    cpu_share: maybe
  }),
  policy: record({ asked: text, in_force: text, why: text }),
  budget: record({ text, limits: dictionary(number) }),
  session: record({ open: flag, native_sessions: number }),
  devices: list(
    record({ name: text, kind: text, memory_limit_bytes: maybe, used_bytes: maybe, peak_bytes: maybe })
  ),
  libraries: record({
    count: number,
    of_tensorflow: number,
    since_load: number,
    loads: maybe,
    unloads: maybe,
    duplicates: number
  }),
  log: record({ entries: number, warnings: number, errors: number, last: known(logEntry) }),
  sampler: record({ interval_s: number, tick_s: maybe, share: maybe }),
  models: list(modelRow)
});

const history = record({
  schema,
  points: list(
    record({ time_s: number, rss_bytes: number, models_bytes: number, devices: dictionary(number) })
  ),
  changes: list(record({ time_s: number, model: text, bytes: number })),
  events: list(
    record({
      time_s: number,
      kind: oneOf('added', 'renewed', 'replaced', 'parked', 'woken', 'dropped', 'failed'),
      model: text
    })
  )
});

const placed = { name: text, requested: known(text), actual: known(text), moved: flag };
const placement = record({
  schema,
  model: text,
  known_from: known(text),
  note: known(text),
  devices: known(deviceShares),
  operations: list(record({ ...placed, actual: text, type: text, share: maybe })),
  variables: list(record({ ...placed, dtype: text, shape: known(list(maybe)), size_bytes: maybe })),
  shown: number,
  total: number
});

const log = list(logEntry);
const paths = list(text);
const library = record({
  name: text,
  version: known(text),
  path: text,
  package: known(text),
  package_version: known(text),
  size_bytes: maybe,
  resident_bytes: maybe,
  occasion: text,
  at_s: number,
  since_load: flag,
  threads: known(text)
});
const libraries = record({
  libraries: list(library),
  gone_since_load: paths,
  duplicates: list(record({ name: text, why: text })),
  settings: list(record({ name: text, value: known(text), decides: text })),
  gpu: record({
    answer: text,
    reasons: list(text),
    advice: list(text),
    searched: paths,
    driver: known(text),
    in_use: known(paths),
    needs: list(record({ name: text, found: known(text) }))
  }),
  op_libraries: list(record({ path: text, through: text, ops: list(record({ name: text })) }))
});

export const isSnapshot = (value: unknown): value is Snapshot => snapshot(value);
export const isHistory = (value: unknown): value is History => history(value);
export const isPlacement = (value: unknown): value is Placement => placement(value);
export const isLog = (value: unknown): value is LogEntry[] => log(value);
export const isLibraries = (value: unknown): value is LibraryReport => libraries(value);

/** The schema version that a message names, where it is not the one that is drawn here. */
export function otherSchema(value: unknown): number | null {
  if (!isRecord(value) || typeof value.schema !== 'number' || !Number.isFinite(value.schema)) return null;
  return value.schema === SCHEMA ? null : value.schema;
}
