import { h, setText, show } from './dom';
import { t } from './text';
import { reason, type Context } from './view';
import type { Fields, RequestKind, Results } from './protocol';

/** What a view has asked the kernel for: the last answer, a line while there is none, and why if it failed. */
export class Asked<Kind extends RequestKind> {
  readonly element = h('p', { class: 'tfm-quiet', hidden: true });
  answer: Results[Kind] | null = null;
  private under = '';
  private again = false;

  constructor(
    private readonly context: Context,
    private readonly kind: Kind,
    private readonly answered: () => void,
    private readonly waiting = t('Asking the kernel…')
  ) {}

  /** Ask; while one is on its way, the next waits for it, and of several the last counts. */
  ask(fields: Fields = {}): void {
    const asked = JSON.stringify(fields);
    if (this.context.store.status === 'gone') return;
    if (this.under === asked) {
      this.again = true;
      return;
    }
    this.under = asked;
    if (this.answer === null) this.tell(this.waiting);
    this.context.store
      .request(this.kind, fields)
      .then(({ result }) => {
        if (this.under !== asked) return;
        this.answer = result;
        this.tell('');
        this.answered();
      })
      .catch((error: unknown) => {
        if (this.under === asked) this.tell(t('This could not be had: {reason}.', { reason: reason(error) }));
      })
      .finally(() => {
        if (this.under !== asked) return;
        this.under = '';
        if (this.again) this.ask(fields);
        this.again = false;
      });
  }

  forget(): void {
    this.answer = null;
  }

  private tell(text: string): void {
    setText(this.element, text);
    show(this.element, text !== '');
  }
}
