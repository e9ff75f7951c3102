import { isRecord } from './shape';

/** Puts whole snapshots together from messages that bring, of the models, only those that have changed. */
export class Merged {
  private readonly rows = new Map<string, unknown>();

  /** Return the whole snapshot, or null where a row is missing: a message before this one was lost. */
  take(message: Record<string, unknown>): unknown {
    const { snapshot, names } = message;
    if (!isRecord(snapshot) || !Array.isArray(snapshot.models) || !Array.isArray(names)) return snapshot;
    for (const row of snapshot.models as unknown[]) {
      if (isRecord(row) && typeof row.name === 'string') this.rows.set(row.name, row);
    }
    const present = new Set<unknown>(names);
    for (const name of [...this.rows.keys()]) if (!present.has(name)) this.rows.delete(name);
    const models = names.map(name => this.rows.get(String(name)));
    return models.includes(undefined) ? null : { ...snapshot, models };
  }
}
