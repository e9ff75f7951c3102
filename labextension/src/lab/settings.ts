import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import { Signal } from '@lumino/signaling';
import type { Units } from '../core/units';

/** What a person has chosen in the settings editor; `schema/plugin.json` says what can be. */
export interface Chosen {
  readonly statusBar: boolean;
  readonly position: 'left' | 'right';
  readonly units: Units;
  /** How often the kernel is to look while somebody looks at it here, in seconds; null leaves that to the kernel. */
  readonly interval_s: number | null;
}

const SHORTEST_S = 0.1;
const LONGEST_S = 60;

/** The settings as they stand; every change of them is told. */
export class Settings {
  readonly changed = new Signal<this, undefined>(this);
  private held: ISettingRegistry.ISettings | null = null;

  /** Read them; where there are none, everything is as by default. */
  async load(registry: ISettingRegistry | null, plugin: string): Promise<void> {
    this.held = (await registry?.load(plugin).catch(() => null)) ?? null;
    this.held?.changed.connect(() => this.changed.emit(undefined));
  }

  get chosen(): Chosen {
    const value = (name: string): unknown => this.held?.get(name).composite;
    const interval = value('interval');
    return {
      statusBar: value('statusBar') !== false,
      position: value('position') === 'left' ? 'left' : 'right',
      units: value('units') === 'binary' ? 'binary' : 'decimal',
      interval_s:
        typeof interval === 'number' && interval > 0
          ? Math.min(LONGEST_S, Math.max(SHORTEST_S, interval))
          : null
    };
  }
}
