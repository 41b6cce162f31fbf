/** What the README and the guides show: every program in them runs, or says what it needs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { loadClassifier } from '../../lib/index.js';
import { Application, isProgram, pages, snippets, strange } from '../support/snippets.js';
import { furnish, serveCifar } from './world.js';

const root = resolve(import.meta.dirname, '..', '..');

/** What the programs of each page print, in their order. */
const PRINTED: Readonly<Record<string, readonly RegExp[]>> = {
  'README.md': [
    /^\[ 2, 10 \] \d+\.\d+ \[ 16, 3, 5, 5 \]\n$/,
    /accuracy[^]*cat\.jpg[^]*run_iter_25\.solverstate\n$/,
    /^1 \d[^]*\n4 \S+\n$/,
    /^\w+ 0\.\d+\n$/,
    /^\[ 1, 3 \]\n$/,
    /^\d \d+\.\d+\n/,
    /^42 42\n$/,
  ],
  'docs/benchmark.md': [/^LeNet, batch 8,[^]*images\/s[^]*total \(batch 1\)/, /^conv1 +conv2d[^]*wgrad/, /^true\n$/],
  'docs/classify.md': [
    /^\w+ 0\.\d+ \d\n$/,
    /^red\n$/,
    /^fulfilled \w+\nfulfilled \w+\nrejected FORMAT\n$/,
    /^cat\.jpg \w+\nbroken\.jpg broken\.jpg: a damaged picture.*\n0\.\d+\n0\.\d+\n$/,
    /^alike [01][.\d]* of \[ 64 \]\n\[ 32, 16, 16 \]\n$/,
  ],
  'docs/custom-ops.md': [/^\[ 1, 4 \]\n$/, /^\[ 1, 3 \] \[ -2, -2, -2 \]\n$/, /^0\.8651 -?0\n$/],
  'docs/embed.md': [
    /^\[ 1, 3 \] 3\nSHAPE features: expected shape \(N, 4\)/,
    /^\[ 4, 10 \]\n$/,
    /^true\nTimeoutError\ntrue\n$/,
    /^(\d+\.\d+\n){5}$/,
    /^0\.\d+ true\n0\.\d+ true\n$/,
    /^\[ 1, 10 \] \[ 2, 10 \]\n$/,
  ],
  'docs/from-caffe.md': [
    /cat\.jpg\s+1\s+0\.\d+\s+2\s+red\n/,
    /^in \(Input\), .*prob \(Softmax\)\n\[ 1, 3 \] \[ 1, 3 \]\n$/,
    /run_iter_25\.solverstate\n$/,
    /^1 tensors in net\.safetensors\n1 tensors in net\.onnx\n$/,
    /^Input Convolution Pooling .* SoftmaxWithLoss\n$/,
  ],
  'docs/from-pytorch.md': [
    /^\[ 1, 1000 \]\n$/,
    /^conv\.weight conv\.bias fc\.weight fc\.bias\n\[ 1, 10 \]\n$/,
    /^150528\n$/,
    /^\[ 2, 10 \]\n$/,
    /^main_graph\n[^]*values\/fc\.npy {2}\(1, 10\)\n/,
    /^4 tensors in net\.safetensors\n[^]*fc\.weight[^]*4 tensors in back\.pth\n$/,
  ],
  'docs/serve.md': [
    /"ready":true[^]*\[-1,3,32,32\][^]*"predictions":\[\{"label":[^]*"name":"dog\.jpg","predictions"[^]*"embedding":\{"shape":\[64\][^]*^cortado_run_rows_count/m,
    /^200 prob \[ 1, 10 \]\n$/,
  ],
  'docs/train.md': [
    /cifar10-quick_best\.safetensors\n$/,
    /run_iter_25\.solverstate\n[^]*from iteration 20[^]*run_iter_25\.solverstate\n$/,
    /cifar10-quick_best\.safetensors\n$/,
    /^1 40 \d[^]*\n40 40 .*\n(\w+) [01][.\d]*\n\1\n$/,
    /^1 \d[^]*accuracy[^]*\n\d+\n$/,
  ],
};

/** Files that a page links to, outside its code. */
function links(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll(/^```.*?^```$|`[^`\n]*`/gms, '');
  return [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path]) => resolve(root, dirname(page), path!));
}

describe('the guides', function () {
  this.timeout(180_000);
  let application: Application;

  before(async () => {
    application = new Application();
    await furnish(application);
  });
  after(() => application.remove());

  for (const page of pages()) {
    const programs = snippets(page).filter((snippet) => isProgram(snippet) && snippet.needs === undefined);
    const printed = PRINTED[page] ?? [];
    if (programs.length !== printed.length)
      it(`${page} says what its programs print`, () => assert.equal(printed.length, programs.length));
    for (const [i, { code, language, line }] of programs.entries())
      it(`${page} runs from line ${line}`, async function () {
        if (code.includes('curl ') && spawnSync('curl', ['--version']).error) {
          console.log(`    (no curl: the commands of ${page} are skipped)`);
          return this.skip();
        }
        await using server = code.includes('localhost:8080') ? await serveCifar() : undefined;
        const asked = server ? code.replaceAll('localhost:8080', server.host) : code;
        const { stdout, stderr, code: status } = application.run(asked, language);
        assert.equal(status, 0, stderr + stdout);
        assert.match(stdout, printed[i]!);
      });
  }

  it('show parts of files as they are', () => {
    const parts = pages()
      .flatMap(snippets)
      .filter(({ from }) => from !== undefined);
    assert.ok(parts.length > 0);
    for (const part of parts) assert.equal(strange(part), undefined, `${part.page}, line ${part.line}: ${part.from}`);
  });

  it('show TypeScript without errors, whether it runs here or not', () => {
    const programs = pages()
      .flatMap(snippets)
      .filter((snippet) => snippet.language === 'ts' && isProgram(snippet));
    const files = programs.map(({ code }, i) => application.write(`typed-${i}.mts`, code));
    const options: ts.CompilerOptions = {
      ...{ strict: true, noEmit: true, skipLibCheck: true, types: ['node'], target: ts.ScriptTarget.ES2023 },
      ...{ module: ts.ModuleKind.NodeNext, lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'] },
    };
    const found = ts.getPreEmitDiagnostics(ts.createProgram(files, options));
    assert.deepEqual(
      found.map(
        ({ messageText, file }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      ),
      [],
    );
  });

  it('link to what is there', () => {
    for (const page of pages())
      for (const target of links(page)) assert.ok(existsSync(target), `${page}: ${target} is not there`);
  });

  it('show a description that opens a net', async () => {
    const [description] = snippets('docs/classify.md').filter(({ language }) => language === 'json');
    application.write('cortado.json', description!.code);
    using classify = await loadClassifier(application.folder);
    assert.equal((await classify(join(application.folder, 'cat.jpg')))[0]!.label, 'red');
  });
});
