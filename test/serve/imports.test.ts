import assert from 'node:assert/strict';
import { script } from '../support/scripts.js';

describe('cortado/serve', () => {
  it('costs those who do not serve nothing', () => {
    const code = `
      import 'cortado';
      import { Module } from 'node:module';
      const names = Object.keys(Module._cache).map((path) => path.split('node_modules/').pop().split('/')[0]);
      console.log([...new Set(names)].filter((name) => /fastify|pino|prom-client|sharp|protobufjs/.test(name)).join());`;
    assert.equal(script(code).stdout, '\n');
    assert.notEqual(script(code.replace("'cortado'", "'cortado/serve'")).stdout, '\n');
  });
});
