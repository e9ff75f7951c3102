import tseslint from 'typescript-eslint';

// Names of models, operations and paths are drawn as text: nothing may parse them as HTML.
const parsesHtml = ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'write', 'writeln', 'setHTMLUnsafe'];

export default tseslint.config(
  // schema.ts is made by types.mjs.
  { ignores: ['lib/', 'node_modules/', '**/*.mjs', '**/*.cjs', '**/*.js', 'src/core/schema.ts'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      'no-eval': 'error',
      'no-restricted-properties': [
        'error',
        ...parsesHtml.map(property => ({
          property,
          message: 'Draw with h() of core/dom.ts: text stays text.'
        }))
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }]
    }
  },
  {
    // A signal of Lumino calls its slot with the `this` that it was connected with.
    files: ['src/lab/**'],
    rules: { '@typescript-eslint/unbound-method': 'off' }
  },
  {
    files: ['tests/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' }
  }
);
