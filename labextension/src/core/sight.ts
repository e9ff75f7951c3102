/** Tell `seen` whether a person can see the element: it is on the screen, in a page that is not hidden. */
export function watchSight(element: Element, seen: (visible: boolean) => void): () => void {
  let onScreen = true;
  const tell = (): void => {
    seen(onScreen && element.ownerDocument.visibilityState !== 'hidden');
  };
  element.ownerDocument.addEventListener('visibilitychange', tell);
  let observer: IntersectionObserver | null = null;
  if (typeof IntersectionObserver !== 'undefined') {
    observer = new IntersectionObserver(entries => {
      onScreen = entries.at(-1)?.isIntersecting ?? true;
      tell();
    });
    observer.observe(element);
  }
  tell();
  return () => {
    element.ownerDocument.removeEventListener('visibilitychange', tell);
    observer?.disconnect();
    seen(false);
  };
}
