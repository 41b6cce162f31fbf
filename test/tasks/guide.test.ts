/** The page for those who have pictures to name: every snippet runs. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadClassifier } from '../../lib/index.js';
import { png, writeColours } from '../support/colours.js';
import { Application, snippets } from '../support/snippets.js';

describe('docs/classify.md', function () {
  this.timeout(180_000);
  let application: Application;

  before(async () => {
    application = new Application();
    const { folder } = application;
    await writeColours(folder);
    application.write('deploy.prototxt', readFileSync(join(folder, 'net.prototxt')));
    // Whatever their names say, files are told apart by their content.
    const [cat, dog] = await Promise.all([png('#b06020', 300, 280), png('#30a0f0', 300, 280)]);
    application.write('cat.jpg', cat);
    application.write('dog.jpg', dog);
    application.write('broken.jpg', cat.subarray(0, 60));
  });
  after(() => application.remove());

  const expected = [
    /^\w+ 0\.\d+ \d\n$/,
    /^red\n$/,
    /^fulfilled \w+\nfulfilled \w+\nrejected FORMAT\n$/,
    /^cat\.jpg \w+\nbroken\.jpg broken\.jpg: a damaged picture.*\n0\.\d+\n0\.\d+\n$/,
    /^alike [01][.\d]* of \[ 64 \]\n\[ 32, 16, 16 \]\n$/,
    /^\[ 1, 10 \] \[ 2, 10 \]\n$/,
  ];
  snippets('classify.md', 'js').forEach(({ code, line }, i) => {
    it(`runs the snippet at line ${line}`, () => {
      const { stdout, stderr, code: status } = application.run(code);
      assert.equal(status, 0, stderr);
      assert.match(stdout, expected[i]!);
    });
  });

  it('shows a description that opens a net', async () => {
    const [description] = snippets('classify.md', 'json');
    application.write('cortado.json', description!.code);
    using classify = await loadClassifier(application.folder);
    assert.equal((await classify(join(application.folder, 'cat.jpg')))[0]!.label, 'red');
  });
});
