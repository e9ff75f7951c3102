export type Child = Node | string | null;
type Value = string | number | boolean | null | ((event: Event) => void);
export type Properties = Record<string, Value>;

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Make an element. A function is a listener (`onclick`), anything else an attribute
 * (`true` is an empty one, `null` and `false` none). A string child is text, whatever is in it.
 */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  return dress(document.createElement(tag), properties, children);
}

/** Make an SVG element, as `h` does. */
export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  return dress(document.createElementNS(SVG, tag), properties, children);
}

function dress<Made extends Element>(element: Made, properties: Properties, children: Child[]): Made {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Show a text; one that is there already stays untouched, with a person's selection in it. */
export function setText(element: Element, text: string): void {
  const { firstChild } = element;
  if (firstChild instanceof Text && firstChild === element.lastChild) {
    if (firstChild.data !== text) firstChild.data = text;
  } else if (firstChild !== null || text !== '') element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | number | boolean | null): void {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? '' : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

export function show(element: HTMLElement, visible: boolean): void {
  if (element.hidden === visible) element.hidden = !visible;
}

/** The focused element in the document or shadow tree that `element` is in. */
export function focusedIn(element: Element): Element | null {
  const root = element.getRootNode();
  const active = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
  return active !== null && element.contains(active) ? active : null;
}

let names = 0;

/** An id that no other element has, for labels. */
export function freshId(what: string): string {
  names += 1;
  return `tfm-${what}-${names}`;
}
