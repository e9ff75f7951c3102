import type { Store } from './protocol';

/** One tab's contents. It is brought up to date only while it is shown. */
export interface View {
  readonly element: HTMLElement;
  update(): void;
  /** The person has come to this tab; an update follows. */
  enter?(): void;
}

/** What a view needs besides the element that it is in. */
export interface Context {
  readonly store: Store;
  /** Say the result of an action, once, also to a screen reader; with a button where it leads on. */
  say(sentence: string, kind?: 'note' | 'error', onward?: Onward): void;
  /** Show where a model's operations are; null where nothing shows that. */
  readonly openPlacement: ((model: string) => void) | null;
}

/** Where one can go on from what was said. */
export interface Onward {
  readonly label: string;
  readonly go: () => void;
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
