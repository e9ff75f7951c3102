// Writes src/core/schema.ts from the schema that Python makes; --check only tells whether it is up to date.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';
import { format, resolveConfig } from 'prettier';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const target = here('src/core/schema.ts');

const schema = JSON.parse(await readFile(here('../tfmagic/panel/snapshot.schema.json'), 'utf8'));
const made = await compile({ ...schema, title: 'Message' }, 'Message', {
  additionalProperties: false,
  bannerComment:
    '// Made by `npm run types` from tfmagic/panel/snapshot.schema.json: change that, and this follows.',
  format: false
});
const text = await format(made, { ...(await resolveConfig(target)), filepath: target });
const held = await readFile(target, 'utf8').catch(() => '');
if (text !== held && process.argv.includes('--check')) {
  process.stderr.write('src/core/schema.ts is not what the schema says: npm run types\n');
  process.exitCode = 1;
} else if (text !== held) {
  await writeFile(target, text);
}
