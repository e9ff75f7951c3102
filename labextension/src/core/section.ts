import { freshId, h, type Child } from './dom';

/** A part of a tab under a heading of its own. */
export function section(title: string, ...children: Child[]): HTMLElement {
  const id = freshId('section');
  return h('section', { 'aria-labelledby': id }, h('h2', { id }, title), ...children);
}
