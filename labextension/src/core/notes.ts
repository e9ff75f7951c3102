import { Facts } from './facts';
import { h } from './dom';
import { isRecord } from './shape';
import { section } from './section';
import { t } from './text';
import { bytes } from './units';
import type { LibraryReport } from './protocol';

const DRAWN_ELSEWHERE = new Set(['schema', 'libraries']);

/** What the kernel says of the libraries besides their list: sentences, settings, and lists of either. */
export class LibraryNotes {
  readonly element = h('div', { class: 'tfm-notes' });
  private drawn = '';

  set(report: LibraryReport): void {
    const rest = Object.entries(report).filter(([field]) => !DRAWN_ELSEWHERE.has(field));
    const text = JSON.stringify(rest);
    if (text === this.drawn) return;
    this.drawn = text;
    const sections = rest.flatMap(([field, value]) => {
      const body = draw(field, value);
      return body === null ? [] : [section(title(field), body)];
    });
    this.element.replaceChildren(...sections);
  }
}

function draw(field: string, value: unknown): HTMLElement | null {
  if (value === null || value === undefined || value === '') return null;
  if (Array.isArray(value)) {
    if (value.length === 0) return null;
    return h('ul', {}, ...value.map(item => h('li', { dir: 'auto' }, sentence(item))));
  }
  if (isRecord(value)) {
    const pairs = Object.entries(value).map(
      ([name, held]) =>
        [name, held === null && field === 'settings' ? t('not set') : words(name, held)] as const
    );
    if (pairs.length === 0) return null;
    const facts = new Facts();
    facts.set(pairs);
    return facts.element;
  }
  return h('p', { dir: 'auto' }, words(field, value));
}

/** An item of a list: its own sentence where it has one, else its fields. */
function sentence(item: unknown): string {
  if (!isRecord(item)) return words('', item);
  const said = item.sentence ?? item.why ?? item.text;
  const name = typeof item.name === 'string' ? item.name : null;
  if (typeof said === 'string') return name === null || said.includes(name) ? said : `${name}: ${said}`;
  return Object.entries(item)
    .map(([field, value]) => `${title(field)}: ${words(field, value)}`)
    .join('; ');
}

function words(field: string, value: unknown): string {
  if (value === null || value === undefined) return t('unknown');
  if (typeof value === 'number' && field.endsWith('_bytes')) return bytes(value);
  if (typeof value === 'boolean') return value ? t('yes') : t('no');
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (Array.isArray(value)) return value.map(item => words('', item)).join(', ');
  return JSON.stringify(value);
}

function title(field: string): string {
  switch (field) {
    case 'gpu':
      return t('Graphics processors');
    case 'duplicates':
      return t('Loaded twice');
    case 'settings':
      return t('Settings that decide');
    case 'changes':
    case 'since_load':
      return t('New since tfmagic was loaded');
    case 'failed':
      return t('Not found');
    default: {
      const plain = field.replace(/_(bytes|s)$/, '').replaceAll('_', ' ');
      return plain.charAt(0).toUpperCase() + plain.slice(1);
    }
  }
}
