import { h, setText } from './dom';
import { t } from './text';
import type { Context } from './view';

export type Change = 'park' | 'wake' | 'drop' | 'trace';

/** The line that does in a cell what the button does here. */
export function magic(change: Change, name: string): string {
  if (change === 'trace') return `%tf_runtime placement ${name} --anew`;
  return `%tf_model ${change} ${name}`;
}

/** A line of code with a button that copies it. */
export class CodeLine {
  private readonly code = h('code', { class: 'tfm-code' });
  readonly element: HTMLElement;

  constructor(line: string, context: Context) {
    setText(this.code, line);
    const onclick = (): void => {
      void this.copy(context);
    };
    const label = t('Copy {line}', { line });
    const button = h(
      'button',
      { type: 'button', class: 'tfm-small', 'aria-label': label, onclick },
      t('Copy')
    );
    this.element = h('span', { class: 'tfm-line' }, this.code, button);
  }

  private async copy(context: Context): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.code.textContent);
      context.say(t('Copied.'));
    } catch {
      // No clipboard in this page: what is selected can be copied by hand.
      this.code.ownerDocument.getSelection()?.selectAllChildren(this.code);
      context.say(t('Selected: copy it with the keyboard.'));
    }
  }
}
