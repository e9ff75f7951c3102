// Bundles the panel of an output cell into the Python package; --demo bundles the demo page into build/demo.
import { context } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const demo = process.argv.includes('--demo');
const { version } = JSON.parse(await readFile(here('package.json'), 'utf8'));

const bundle = await context({
  entryPoints: demo
    ? [here('demo/demo.ts')]
    : [
        { in: here('src/widget/index.ts'), out: 'panel' },
        { in: here('style/panel.css'), out: 'panel' }
      ],
  outdir: here(demo ? '../build/demo' : '../tfmagic/panel/static'),
  bundle: true,
  minify: !demo,
  format: 'esm',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  define: { TFMAGIC_VERSION: JSON.stringify(version) },
  logLevel: 'warning'
});
if (process.argv.includes('--watch')) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
