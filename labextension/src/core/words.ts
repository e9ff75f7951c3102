import { t } from './text';
import { bytes, end, unknown } from './units';
import type { EventKind, ModelRow, Severity, Signature } from './snapshot';

export function stateWord(state: string): string {
  switch (state) {
    case 'ready':
      return t('ready');
    case 'running':
      return t('running');
    case 'stopping':
      return t('stopping');
    case 'parked':
      return t('parked');
    case 'failed':
      return t('failed');
    default:
      return state;
  }
}

export function eventWord(kind: EventKind): string {
  switch (kind) {
    case 'added':
      return t('added');
    case 'renewed':
      return t('renewed');
    case 'replaced':
      return t('replaced');
    case 'parked':
      return t('parked');
    case 'woken':
      return t('woken');
    case 'dropped':
      return t('dropped');
    case 'failed':
      return t('failed');
  }
}

export function severityWord(severity: Severity): string {
  switch (severity) {
    case 'info':
      return t('info');
    case 'warning':
      return t('warning');
    case 'error':
      return t('error');
    case 'fatal':
      return t('fatal');
  }
}

/** What a model takes now: what `%tf_runtime memory` has as “held now”. */
export function heldNow({ held_bytes }: ModelRow): string {
  return t('{size} held', { size: bytes(held_bytes) });
}

/** A signature in a line: the names of what goes in and what comes out. */
export function summary(signature: Signature | null): string {
  if (signature === null) return unknown();
  const names = (ends: Signature['inputs']): string => ends.map(({ name }) => name).join(', ') || '()';
  return `${names(signature.inputs)} → ${names(signature.outputs)}`;
}

/** The whole signature, an end a line. */
export function ends(signature: Signature | null, which: 'inputs' | 'outputs'): string {
  if (signature === null) return unknown();
  return signature[which].map(end).join('\n') || t('none');
}
