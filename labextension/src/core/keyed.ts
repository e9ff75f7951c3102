import { focusedIn } from './dom';

/**
 * Bring the children of `parent` into the order of `wanted`, and take the others away. The child with
 * the focus or a selection in it is never moved, the others go around it: what a person holds stays.
 */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  const held = Math.max(
    0,
    wanted.findIndex(child => child.parentNode === parent && isHeld(child))
  );
  const anchor = wanted[held];
  if (anchor === undefined) return;
  if (anchor.parentNode !== parent) parent.prepend(anchor);
  let next = anchor;
  for (const child of wanted.slice(0, held).reverse()) {
    if (next.previousElementSibling !== child) parent.insertBefore(child, next);
    next = child;
  }
  let last = anchor;
  for (const child of wanted.slice(held + 1)) {
    if (last.nextElementSibling !== child) parent.insertBefore(child, last.nextElementSibling);
    last = child;
  }
}

function isHeld(element: Element): boolean {
  if (focusedIn(element) !== null) return true;
  const selection = element.ownerDocument.getSelection();
  return selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
}
