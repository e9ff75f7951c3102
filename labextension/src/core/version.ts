import { isRecord } from './shape';
import { SCHEMA } from './snapshot';
import { t } from './text';

/** The package's own version, which the build puts in. */
declare const TFMAGIC_VERSION: string;
export const VERSION = TFMAGIC_VERSION;

/** The schema version that a message names, where it is not the one that is drawn here. */
export function otherSchema(value: unknown): number | null {
  if (!isRecord(value) || typeof value.schema !== 'number' || !Number.isFinite(value.schema)) return null;
  return value.schema === SCHEMA ? null : value.schema;
}

/** Says of a message in another schema version which half is the older one, and what to type where. */
export function otherVersion(value: unknown): string {
  const { schema, versions } = isRecord(value) ? value : {};
  const named = isRecord(versions) && typeof versions.tfmagic === 'string' ? versions.tfmagic : t('unknown');
  const holes = {
    theirs: named.slice(0, 40),
    their_schema: String(schema),
    ours: VERSION,
    our_schema: SCHEMA,
    line: 'pip install -U "tfmagic[lab]"'
  };
  return Number(schema) > SCHEMA
    ? t(
        'This page has tfmagic {ours}, which reads figures of version {our_schema}; the kernel has tfmagic {theirs}, which sends version {their_schema}. This page’s is the older one: type {line} where JupyterLab runs, and reload the page.',
        holes
      )
    : t(
        'The kernel has tfmagic {theirs}, which sends figures of version {their_schema}; this page has tfmagic {ours}, which reads version {our_schema}. The kernel’s is the older one: type {line} where the kernel runs, and restart the kernel.',
        holes
      );
}
