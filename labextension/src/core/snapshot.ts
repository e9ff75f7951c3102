/**
 * What the kernel tells the page, under the names that are used here. The types are made from
 * tfmagic/panel/snapshot.schema.json; `null` means "not known" and is drawn as that, never as 0.
 */
export type {
  DeviceRecord as Device,
  EventRecord as HistoryEvent,
  HistoryRecord as History,
  LibrariesRecord as LibraryReport,
  LibrariesSummary as LibraryCounts,
  LibraryRecord,
  LogRecord as LogEntry,
  ModelRow,
  PlacedDeviceRecord as DeviceShare,
  PlacedOperationRecord as PlacedOperation,
  PlacedVariableRecord as PlacedVariable,
  PlacementRecord as Placement,
  SettingRecord as Setting,
  SignatureRecord as Signature,
  Snapshot,
  TensorRecord as End
} from './schema';

import type { EventRecord, LogRecord } from './schema';

export type EventKind = EventRecord['kind'];
export type Severity = LogRecord['severity'];

/** The version of the contract that is drawn here. */
export const SCHEMA = 1;
