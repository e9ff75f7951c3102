// Makes, from the schema that Python makes, the types in src/core/schema.ts and the checks in src/core/check.ts;
// --check only tells whether they are up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

const BANNER =
  '// Made by `npm run types` from tfmagic/panel/snapshot.schema.json: change that, and this follows.';
// What a page checks before it draws it.
const CHECKED = ['Snapshot', 'HistoryRecord', 'PlacementRecord', 'LibrariesRecord', 'NativeLogRecord'];
const PLAIN = { string: 'text', integer: 'integer', number: 'number', boolean: 'flag' };

const here = path => fileURLToPath(new URL(path, import.meta.url));
const schema = JSON.parse(await readFile(here('../tfmagic/panel/snapshot.schema.json'), 'utf8'));

function types() {
  return compile({ ...schema, title: 'Message' }, 'Message', {
    // More fields may come. To read one that no record has is still an error of the compiler.
    additionalProperties: false,
    bannerComment: BANNER,
    format: false
  });
}

/** The checks as calls of src/core/shape.ts, each record after those that it is made of. */
function checks() {
  const written = new Map();
  const used = new Set();
  const call = (name, ...words) => (used.add(name), words.length > 0 ? `${name}(${words.join(', ')})` : name);

  function shape({ $ref, anyOf, type, items, additionalProperties, enum: allowed, ...rest }, where) {
    if ($ref !== undefined) return definition($ref.split('/').at(-1));
    if (allowed !== undefined) return call('oneOf', ...allowed.map(value => JSON.stringify(value)));
    if (anyOf !== undefined) {
      const others = anyOf.filter(one => one.type !== 'null');
      if (others.length === 1 && anyOf.length === 2) return call('known', shape(others[0], where));
    } else if (type === 'array') {
      return call('list', shape(items, where));
    } else if (type === 'object' && rest.properties === undefined) {
      return call('dictionary', shape(additionalProperties, where));
    } else if (type in PLAIN) {
      return call(PLAIN[type]);
    }
    throw new Error(
      `${where}: src/core/shape.ts has no check of such a field; write one, and add it to types.mjs`
    );
  }

  function definition(name) {
    const variable = name[0].toLowerCase() + name.slice(1);
    if (!written.has(name)) {
      const { properties, required } = schema.$defs[name];
      const fields = Object.entries(properties).map(([field, told]) => {
        const check = shape(told, `${name}.${field}`);
        return `${field}: ${required.includes(field) ? check : call('optional', check)}`;
      });
      written.set(name, `const ${variable} = ${call('record', `{ ${fields.join(', ')} }`)};\n`);
    }
    return variable;
  }

  const exported = CHECKED.map(
    name => `export const is${name} = (value: unknown): value is ${name} => ${definition(name)}(value);\n`
  );
  return [
    `${BANNER}\n`,
    `import { ${[...used].sort().join(', ')} } from './shape';\n`,
    `import type { ${CHECKED.join(', ')} } from './schema';\n\n`,
    ...written.values(),
    '\n',
    ...exported
  ].join('');
}

for (const [name, made] of [
  ['src/core/schema.ts', await types()],
  ['src/core/check.ts', checks()]
]) {
  const file = here(name);
  const text = await format(made, { ...(await resolveConfig(file)), filepath: file });
  const held = await readFile(file, 'utf8').catch(() => '');
  if (text !== held && process.argv.includes('--check')) {
    process.stderr.write(`${name} is not what the schema says: npm run types\n`);
    process.exitCode = 1;
  } else if (text !== held) {
    await writeFile(file, text);
  }
}
