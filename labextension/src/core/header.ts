import { h, setText, show } from './dom';
import { t } from './text';
import { clock, span } from './units';
import type { Status, Store } from './protocol';

/** The line on top: which kernel this is, how it stands, and how old the figures are. */
export class Header {
  private readonly word = h('strong', { class: 'tfm-status' });
  private readonly kernel = h('span');
  private readonly cell = h('span');
  private readonly age = h('span', { class: 'tfm-quiet' });
  private readonly notice = h('p', { class: 'tfm-notice', hidden: true });
  // Said aloud when the state changes, and not with every second.
  private readonly spoken = h('p', { class: 'tfm-spoken', role: 'status' });
  private status: Status | null = null;
  readonly element: HTMLElement;

  constructor(private readonly store: Store) {
    const line = h('div', { class: 'tfm-row tfm-header' }, this.word, this.kernel, this.cell, this.age);
    this.element = h('div', {}, line, this.notice, this.spoken);
  }

  update(): void {
    const { snapshot, status, problem } = this.store;
    setText(this.word, statusWord(status));
    this.word.dataset.status = status;
    this.word.dataset.seq = String(snapshot?.seq ?? '');
    setText(this.kernel, snapshot === null ? '' : t('kernel process {pid}', { pid: snapshot.kernel.pid }));
    this.drawCell();
    this.drawAge();
    const notice = problem ?? advice(status);
    setText(this.notice, notice);
    show(this.notice, notice !== '');
    if (this.status !== null && this.status !== status) {
      setText(
        this.spoken,
        t('The panel is now: {status}. {advice}', { status: statusWord(status), advice: advice(status) })
      );
    }
    this.status = status;
  }

  private drawCell(): void {
    const ran = running(this.store);
    const shown = ran !== null && this.store.status !== 'gone';
    show(this.cell, shown);
    if (shown) setText(this.cell, ran);
  }

  private drawAge(): void {
    const { snapshot, status } = this.store;
    const age = this.store.ageMs();
    if (snapshot === null || age === null) setText(this.age, '');
    else if (status === 'live') setText(this.age, t('figures of {time}', { time: clock(snapshot.time_s) }));
    else
      setText(
        this.age,
        t('figures of {time}, {age} old', { time: clock(snapshot.time_s), age: span(age / 1000) })
      );
  }
}

/** For how long a cell has been running, as far as the kernel has said so; null where none is known to run. */
export function running(store: Store): string | null {
  const { snapshot, status } = store;
  const since = snapshot?.kernel.cell_since_s ?? null;
  if (snapshot === null || since === null) return null;
  const time = span(snapshot.time_s - since);
  // By the kernel's own clock: nobody knows what it has done since it said so.
  return status === 'live'
    ? t('a cell has been running for {time}', { time })
    : t('a cell had been running for {time} as of {age} ago', {
        time,
        age: span((store.ageMs() ?? 0) / 1000)
      });
}

function statusWord(status: Status): string {
  switch (status) {
    case 'waiting':
      return t('waiting');
    case 'live':
      return t('live');
    case 'stale':
      return t('no news');
    case 'gone':
      return t('ended');
  }
}

function advice(status: Status): string {
  switch (status) {
    case 'waiting':
      return t('Waiting for the kernel’s first figures.');
    case 'stale':
      return t('The kernel sends nothing at the moment: it may be held up, or the connection is.');
    case 'gone':
      return t(
        'The kernel of this panel has ended or was restarted, and these are its last figures. In a cell, %tf_panel opens a new one.'
      );
    case 'live':
      return '';
  }
}
