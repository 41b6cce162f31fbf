/** The page for those who serve models: every command and snippet runs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { png } from '../support/colours.js';
import { serving } from '../support/server.js';
import { Application, snippets } from '../support/snippets.js';

describe('docs/serve.md', function () {
  this.timeout(120_000);
  let application: Application;

  before(async () => {
    application = new Application();
    application.write('cat.jpg', await png('#b06020', 100, 80));
    application.write('dog.jpg', await png('#30a0f0', 100, 80));
  });
  after(() => application.remove());

  it('runs the program', () => {
    const [snippet] = snippets('serve.md', 'js');
    const { stdout, stderr, code } = application.run(snippet!.code);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '200 prob [ 1, 10 ]\n');
  });

  it('costs those who do not serve nothing', () => {
    const code = `
      import 'cortado';
      import { Module } from 'node:module';
      const names = Object.keys(Module._cache).map((path) => path.split('node_modules/').pop().split('/')[0]);
      console.log([...new Set(names)].filter((name) => /fastify|pino|prom-client|sharp|protobufjs/.test(name)).join());`;
    assert.deepEqual(
      [application.run(code).stdout, application.run(code.replace("'cortado'", "'cortado/serve'")).stdout === '\n'],
      ['\n', false],
    );
  });

  it('asks by the commands', async function () {
    if (spawnSync('curl', ['--version']).error) {
      console.log('    (no curl: the commands of docs/serve.md are skipped)');
      return this.skip();
    }
    const served = await serving(['cifar10-full', '--log', 'silent']);
    const [snippet] = snippets('serve.md', 'sh');
    const commands = snippet!.code.trim().split('\n');
    const answers = commands.map((command) => {
      const asked = command.replace('localhost:8080', new URL(served.url).host);
      const { status, stdout } = spawnSync('sh', ['-c', asked], { cwd: application.folder, encoding: 'utf8' });
      assert.equal(status, 0, command);
      return stdout;
    });
    const expected = [
      /"ready":true/,
      /\[-1,3,32,32\]/,
      /"predictions":\[\{"label":/,
      /"name":"dog\.jpg","predictions"/,
      /^cortado_run_rows_count/m,
    ];
    expected.forEach((pattern, i) => assert.match(answers[i]!, pattern));
    served.process.kill('SIGTERM');
    assert.deepEqual(await served.ended, [0, null]);
  });
});
