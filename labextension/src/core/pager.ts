import { h, setAttribute, setText, show } from './dom';
import { t } from './text';
import { count } from './units';

/** So few are seen at a glance, and need no count. */
const FEW = 5;

/** Which rows of a long table are shown, and the buttons to the others. */
export class Pager {
  readonly counted = h('span', { class: 'tfm-quiet' });
  private readonly back: HTMLButtonElement;
  private readonly on: HTMLButtonElement;
  private readonly buttons: HTMLElement;
  readonly element: HTMLElement;
  private page = 0;

  constructor(
    private readonly size: number,
    label: string,
    turned: () => void
  ) {
    const button = (text: string, step: number): HTMLButtonElement => {
      const onclick = (event: Event): void => {
        if ((event.currentTarget as Element).getAttribute('aria-disabled') === 'true') return;
        this.page += step;
        turned();
      };
      return h('button', { type: 'button', onclick }, text);
    };
    this.back = button(t('Previous'), -1);
    this.on = button(t('Next'), 1);
    this.buttons = h('span', {
      class: 'tfm-row',
      role: 'group',
      'aria-label': t('Pages of {table}', { table: label })
    });
    this.buttons.append(this.back, this.on);
    this.element = h('div', { class: 'tfm-row tfm-pager' }, this.counted, this.buttons);
  }

  restart(): void {
    this.page = 0;
  }

  /** The rows of the present page, of those that the search found among `total`. */
  cut<Row>(found: readonly Row[], total: number): readonly Row[] {
    const last = Math.max(0, Math.ceil(found.length / this.size) - 1);
    this.page = Math.min(Math.max(this.page, 0), last);
    const start = this.page * this.size;
    const rows = found.slice(start, start + this.size);
    setAttribute(this.back, 'aria-disabled', String(this.page === 0));
    setAttribute(this.on, 'aria-disabled', String(this.page === last));
    show(this.buttons, last > 0);
    show(this.counted, total > FEW || found.length < total);
    setText(this.counted, this.words(start, rows.length, found.length, total));
    return rows;
  }

  private words(start: number, here: number, found: number, total: number): string {
    if (total === 0) return '';
    if (found === 0) return t('none of {total} found', { total: count(total) });
    const range = here === found ? count(found) : `${count(start + 1)}–${count(start + here)}`;
    if (found < total)
      return t('{range} of {found} found among {total}', { range, found: count(found), total: count(total) });
    return here === found
      ? t('{total} in all', { total: count(total) })
      : t('{range} of {total}', { range, total: count(total) });
  }
}
