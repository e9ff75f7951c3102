// Bundles the panel into the Python package and the extension of JupyterLab, or the demo page into build/demo.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { buildLab, version } from './build-lab.mjs';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const demo = process.argv.includes('--demo');
// Its first line tells scripts/web.py which sources all was made from, so the panel comes last.
const digest = process.env.TFMAGIC_SOURCES ?? 'unknown';

if (!demo) await buildLab();
await build({
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
  banner: demo ? {} : { js: `// sources ${digest}` },
  logLevel: 'warning'
});
