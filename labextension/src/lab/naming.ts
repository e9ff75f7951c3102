// What a model cannot be called, for Python or tfmagic means something else by it: Python's keywords,
// the verbs of %tf_model and the attributes of `models`. tests/panel/test_page_names.py holds it against those.
const TAKEN = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from ' +
    'global if import in is lambda nonlocal not or pass raise return try while with yield ' +
    'add list show park wake drop stop save sync move ' +
    'admit get inspect items keys memory_budget present records values'
  ).split(' ')
);

const MODEL_FILE = /\.(keras|h5|pb)$/i;
const SAVED_MODEL = new Set(['saved_model.pb', 'saved_model.pbtxt']);
const VERSION_FOLDER = /^\d+$/;

/** Whether a file of this name may be a model that `%tf_model add` reads. */
export function isModelFile(name: string): boolean {
  return MODEL_FILE.test(name);
}

/** Whether a folder with these names in it is a SavedModel. */
export function isSavedModel(names: readonly string[]): boolean {
  return names.some(name => SAVED_MODEL.has(name));
}

/** Those of these names that are versions of what their folder is called after, the highest first. */
export function versions(names: readonly string[]): string[] {
  return names.filter(name => VERSION_FOLDER.test(name)).sort((a, b) => Number(b) - Number(a));
}

/** The path that is added where this one was pointed at: a SavedModel is its folder. */
export function modelPath(path: string): string {
  const parts = path.split('/');
  return parts.length > 1 && SAVED_MODEL.has(parts.at(-1) ?? '') ? parts.slice(0, -1).join('/') : path;
}

/** What a model from this path is to be called: a name that Python can read, and that no other model has. */
export function modelName(path: string, taken: ReadonlySet<string>): string {
  const parts = path.split('/').filter(part => part !== '');
  // A folder that is called `1` is a version of what its parent names.
  const named = parts.filter(part => !VERSION_FOLDER.test(part)).at(-1) ?? parts.at(-1) ?? '';
  const plain = named
    .replace(MODEL_FILE, '')
    .normalize('NFKC')
    .replace(/[^\p{XID_Continue}]+/gu, '_')
    .replace(/^_+|_+$/g, '');
  let name = /^\p{XID_Start}/u.test(plain) ? plain : `model_${plain}`.replace(/_$/, '');
  if (TAKEN.has(name)) name += '_model';
  let free = name;
  for (let number = 2; taken.has(free); number += 1) free = `${name}_${number}`;
  return free;
}

/** A text as Python writes it in quotes, on one line. */
export function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(quote === "'" ? /[\\']/g : /\\/g, '\\$&')
    .replace(/[\p{Cc}\u2028\u2029]/gu, letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${quote}${escaped}${quote}`;
}
