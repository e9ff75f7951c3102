import { h, setAttribute, setText, show } from './dom';
import { running } from './header';
import { magic, type Change } from './magic';
import { named, t } from './text';
import { reason, type Context, type Onward } from './view';
import type { ModelRow } from './snapshot';

function word(change: Change): string {
  switch (change) {
    case 'park':
      return t('Park');
    case 'wake':
      return t('Wake');
    case 'drop':
      return t('Drop');
    case 'trace':
      return t('Trace');
  }
}

const SLOW_MS = 3000;

/** The buttons of one model. Dropping asks first, in place. */
export class Actions {
  private readonly buttons: Record<'rest' | 'drop' | 'trace', HTMLButtonElement>;
  private readonly usual: HTMLElement;
  private readonly asking: HTMLElement;
  private readonly keep: HTMLButtonElement;
  private readonly sure: HTMLButtonElement;
  private readonly question = h('span');
  private busy: Change | null = null;
  readonly element: HTMLElement;

  constructor(
    private model: ModelRow,
    private readonly context: Context
  ) {
    const button = (act: () => void): HTMLButtonElement => {
      const onclick = (event: Event): void => {
        if ((event.currentTarget as Element).getAttribute('aria-disabled') !== 'true') act();
      };
      return h('button', { type: 'button', onclick });
    };
    this.buttons = {
      rest: h('button', {
        type: 'button',
        onclick: () => {
          // Who has pressed it in vain is told why, and not only who points at it.
          const { model } = this;
          const why = whyItStays(model);
          if (this.busy !== null || this.context.store.status === 'gone') return;
          if (why === null) void this.run(model.state === 'parked' ? 'wake' : 'park');
          else this.context.say(t('{name}: {reason}', { name: named(model.name), reason: why }));
        }
      }),
      drop: button(() => {
        this.ask(true);
      }),
      trace: button(() => void this.run('trace'))
    };
    this.keep = button(() => {
      this.ask(false);
    });
    this.sure = button(() => {
      this.ask(false);
      void this.run('drop');
    });
    setText(this.keep, t('Keep'));
    setText(this.sure, t('Drop it'));
    setAttribute(this.sure, 'class', 'tfm-danger');
    const { rest, drop, trace } = this.buttons;
    this.usual = h('div', { class: 'tfm-row' }, rest, drop, trace);
    this.asking = h('div', { class: 'tfm-row tfm-asking', role: 'group', hidden: true });
    this.asking.append(this.question, this.keep, this.sure);
    this.asking.addEventListener('keydown', event => {
      if (event.key === 'Escape') this.ask(false);
    });
    this.element = h('div', { class: 'tfm-actions' }, this.usual, this.asking);
    this.update(model);
  }

  update(model: ModelRow): void {
    this.model = model;
    const { rest, drop, trace } = this.buttons;
    this.dress(rest, model.state === 'parked' ? 'wake' : 'park', whyItStays(model));
    this.dress(drop, 'drop', null);
    this.dress(trace, 'trace', null);
    setAttribute(this.sure, 'title', magic('drop', model.name));
    const idle = !['running', 'stopping'].includes(model.state);
    setText(
      this.question,
      idle ? t('Drop it for good?') : t('It runs, and what it would answer is lost. Drop it for good?')
    );
    setAttribute(this.asking, 'aria-label', t('Drop {name} for good?', { name: named(model.name) }));
  }

  private dress(button: HTMLButtonElement, change: Change, why: string | null): void {
    const gone = this.context.store.status === 'gone';
    setText(button, this.busy === change ? `${word(change)}…` : word(change));
    setAttribute(button, 'aria-label', `${word(change)} ${named(this.model.name)}`);
    setAttribute(button, 'aria-disabled', why !== null || gone || this.busy !== null ? 'true' : null);
    setAttribute(button, 'title', why ?? magic(change, this.model.name));
  }

  private ask(wanted: boolean): void {
    show(this.usual, !wanted);
    show(this.asking, wanted);
    (wanted ? this.keep : this.buttons.drop).focus();
  }

  private async run(change: Change): Promise<void> {
    const { store } = this.context;
    const { name } = this.model;
    this.busy = change;
    this.update(this.model);
    const slow = setTimeout(() => {
      const ran = running(store);
      this.context.say(
        ran === null
          ? t('The kernel has not answered yet.')
          : t('The kernel has not answered yet; {running}.', { running: ran })
      );
    }, SLOW_MS);
    try {
      const { said } = await store.request(change, { model: name });
      const done = said ?? t('{what}: done.', { what: `${word(change)} ${named(name)}` });
      this.context.say(done, 'note', change === 'trace' ? this.onward(name) : undefined);
    } catch (error) {
      this.context.say(t('{name}: {reason}', { name: named(name), reason: reason(error) }), 'error');
    } finally {
      clearTimeout(slow);
      this.busy = null;
      this.update(this.model);
    }
  }

  private onward(name: string): Onward | undefined {
    const { openPlacement } = this.context;
    if (openPlacement === null) return undefined;
    return {
      label: whereItRan(),
      go: () => {
        openPlacement(name);
      }
    };
  }
}

/** What leads from a trace to what it has shown. */
export function whereItRan(): string {
  return t('Show where it ran');
}

/** Why a model is neither parked nor woken; null where it can be. */
function whyItStays(model: ModelRow): string | null {
  if (model.state === 'parked' || model.can_park) return null;
  if (model.state !== 'ready')
    return t('It is {state}: only an idle model can be parked', { state: model.state });
  return t('A live object is not parked: its weights are the notebook’s');
}
