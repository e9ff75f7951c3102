/** Turns an English sentence with `{holes}` into the person's language. */
export type Translate = (text: string) => string;

let translate: Translate = text => text;

/** Put a host's translator in; without one the texts are English. */
export function setTranslator(translator: Translate): void {
  translate = translator;
}

/** The text in the person's language, its `{holes}` filled. Every word that the panel shows comes from here. */
export function t(text: string, holes: Record<string, string | number> = {}): string {
  return translate(text).replace(/\{(\w+)\}/g, (hole, name: string) =>
    Object.hasOwn(holes, name) ? String(holes[name]) : hole
  );
}

/** `one` or `many`, by `count`, which fills `{n}`. */
export function tn(one: string, many: string, count: number): string {
  return t(count === 1 ? one : many, { n: count.toLocaleString('en') });
}

const LONGEST = 60;

/** A name whose direction is its own, and not that of what stands around it. */
export function apart(name: string): string {
  return `\u2068${name}\u2069`;
}

/** A name within a sentence: apart from the sentence's direction, and not longer than it. */
export function named(name: string): string {
  return apart(cut(name, LONGEST));
}

/** At most `length` characters of a text, with an ellipsis where it went on. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
