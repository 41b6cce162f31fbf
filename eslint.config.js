import { defineConfig, globalIgnores } from 'eslint/config';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** Files matching `files` may not import modules matching `banned`. */
const direction = (files, banned, message, ignores = []) => ({
  files,
  ignores,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ group: banned, message }] }] },
});

const addon = ['**/native.js', '**/native-loader.js'];
const running = [
  ...addon,
  ...['plan', 'runtime', 'model', 'compile', 'feed', 'kernels'].map((file) => `**/${file}.js`),
];
const programs = ['**/cli/**', '**/serve/**', '**/bench/**', '**/test/**'];
const networks = ['**/caffe/**', '**/models/**'];

export default defineConfig(
  globalIgnores(['dist/', 'build*/', 'node_modules/', 'native/', 'test/package/apps/']),
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numeric code indexes arrays whose bounds the shapes guarantee.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Callers in plain JavaScript are told at run time what types would have told them.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      // `type` is as good as `interface`; an empty callback says what it means.
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  // Who may import whom. A later block replaces an earlier one for the same file, so each names all that it bans.
  direction(
    ['lib/**/*.ts'],
    ['**/native-loader.js', ...programs],
    'Only lib/native.ts and `cortado doctor` look for the addon; the library knows no program.',
    ['lib/native.ts', 'lib/native-loader.ts', 'lib/cli/**'],
  ),
  direction(
    [
      'lib/ops/**/*.ts',
      ...['op', 'graph', 'solver', 'fillers', 'forward', 'gradient', 'lower'].map((file) => `lib/${file}.ts`),
    ],
    [...running, '**/passes/**', ...networks, ...programs],
    'What a network is and means never sees how it runs.',
  ),
  direction(
    ['lib/models/**/*.ts'],
    [...running, '**/passes/**', '**/caffe/**', ...programs],
    'A model is drawn with ops; it never sees how it runs.',
  ),
  direction(
    ['lib/passes/**/*.ts', 'lib/program.ts'],
    [...running, '**/graph.js', '**/lower.js', '**/ops/**', ...networks, ...programs],
    'Passes are pure: program in, program out.',
  ),
  direction(
    ['lib/protobuf/**/*.ts', 'lib/file.ts', 'lib/bytes.ts'],
    [...running, '**/passes/**', ...networks, '**/onnx/**', '**/formats/**', '**/data/**', ...programs],
    'What files of any kind are read and written with knows none of them.',
  ),
  direction(
    ['lib/errors.ts', 'lib/shape.ts'],
    ['./*', '../*', '!./errors.js'],
    'The ground floor imports nothing above it.',
  ),
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'examples/**/*.ts'],
    rules: { '@typescript-eslint/no-unused-expressions': 'off', '@typescript-eslint/require-await': 'off' },
  },
  prettier,
);
