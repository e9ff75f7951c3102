// Builds the prebuilt extension of JupyterLab, tfmagic/labextension: esbuild makes a package of our own
// sources in build/lab, and JupyterLab's own builder wraps that, JupyterLab's packages left to JupyterLab.
import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const stage = here('../build/lab');
const output = here('../tfmagic/labextension');
const require = createRequire(import.meta.url);

export const version = /^__version__ = "(.+)"$/m.exec(
  await readFile(here('../tfmagic/version.py'), 'utf8')
)[1];

export async function buildLab() {
  await rm(stage, { recursive: true, force: true });
  await mkdir(stage, { recursive: true });
  await build({
    entryPoints: {
      index: here('src/lab/index.ts'),
      panel: here('style/panel.css'),
      lab: here('style/lab.css')
    },
    outdir: stage,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    define: { TFMAGIC_VERSION: JSON.stringify(version) },
    external: ['@jupyterlab/*', '@lumino/*'],
    logLevel: 'warning'
  });
  await writeFile(join(stage, 'style.js'), "import './panel.css';\nimport './lab.css';\n");
  await cp(here('lab/schema'), join(stage, 'schema'), { recursive: true });
  const about = {
    name: '@tfmagic/lab',
    version,
    description: 'Shows the TensorFlow models of a kernel, live, also while a cell runs.',
    license: 'BSD-3-Clause',
    type: 'module',
    main: 'index.js',
    styleModule: 'style.js',
    dependencies: {},
    jupyterlab: { extension: true, outputDir: '../../tfmagic/labextension', schemaDir: 'schema' }
  };
  await writeFile(join(stage, 'package.json'), JSON.stringify(about, null, 2));
  const core = join(dirname(require.resolve('@jupyterlab/core-meta/package.json')), 'core.package.json');
  const builder = join(
    dirname(require.resolve('@jupyter/builder/package.json')),
    'lib',
    'build-labextension.js'
  );
  try {
    await promisify(execFile)(process.execPath, [builder, '--core-package-file', core, stage]);
  } catch (error) {
    process.stderr.write(`${error.stdout}${error.stderr}\n`);
    throw new Error('the extension of JupyterLab could not be built');
  }
  const install = {
    packageManager: 'python',
    packageName: 'tfmagic',
    uninstallInstructions: 'pip uninstall tfmagic'
  };
  await writeFile(join(output, 'install.json'), JSON.stringify(install, null, 2));
}
