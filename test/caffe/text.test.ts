import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatText, parseText, positionOf } from '../../lib/caffe/prototxt.js';
import * as schema from '../../lib/caffe/schema.js';
import { formatNumber } from '../../lib/caffe/text/format-number.js';
import { FormatError } from '../../lib/errors.js';
import { isMessage, messageOf } from './support.js';

const { BlobProto, ConvolutionParameter, Datum, LayerParameter, NetParameter, PoolingParameter, SolverParameter } =
  schema;

function refused(text: string, message: RegExp, type: schema.MessageType = NetParameter): void {
  assert.throws(
    () => parseText(type, text, 'net.prototxt'),
    (error: Error) => error instanceof FormatError && message.test(error.message),
  );
}

describe('protocol buffer text', () => {
  it('reads what people write', () => {
    const net = parseText(
      NetParameter,
      `name: "a" 'b' # two texts are one
       force_backward: true; input: ['x', 'y'], input_dim: [1, 0x10, 010, -2]
       input_shape: < dim: 1 dim: 2 >
       layer { name: 'p\\101\\x42\\n\\'\\"' pooling_param: { pool: AVE kernel_size: 3 }
         loss_weight: 1e-5f loss_weight: -.5 loss_weight: 2. loss_weight: inf loss_weight: -Infinity loss_weight: NaN }
       layer: [{ name: "q" pooling_param { pool: 2 } }, <phase: TRAIN>]`,
    );
    assert.equal(net.name, 'ab');
    assert.equal(net.force_backward, true);
    assert.deepEqual(net.input, ['x', 'y']);
    assert.deepEqual(net.input_dim, [1, 16, 8, -2]);
    assert.deepEqual(net.input_shape, [{ dim: [1, 2] }]);
    const [p, q, r] = net.layer;
    assert.equal(p?.name, `pAB\n'"`);
    assert.deepEqual(p.loss_weight, [1e-5, -0.5, 2, Infinity, -Infinity, NaN]);
    assert.equal(p.pooling_param?.pool, 'AVE');
    assert.equal(q?.pooling_param?.pool, 'STOCHASTIC');
    assert.equal(r?.phase, 'TRAIN');
    assert.deepEqual(positionOf(r), { file: 'prototxt', line: 6, column: 8 });
  });

  it('lets the later value stand and merges messages, as Caffe does', () => {
    const { pooling_param, name } = parseText(
      LayerParameter,
      'name: "a" pooling_param { stride: 2 pad: 1 } name: "b" pooling_param { stride: 3 }',
    );
    assert.deepEqual({ name, pooling_param }, { name: 'b', pooling_param: { stride: 3, pad: 1 } });
  });

  it('fills in the defaults of the format', () => {
    const given = parseText(PoolingParameter, 'kernel_size: 3');
    const { kernel_size, stride, pad, pool, kernel_h } = schema.filled(PoolingParameter, given);
    assert.deepEqual([kernel_size, stride, pad, pool, kernel_h], [3, 1, 0, 'MAX', undefined]);
    assert.deepEqual(schema.filled(ConvolutionParameter, undefined).stride, []);
  });

  it('names unknown fields with line and column', () => {
    refused(
      'layer {\n  name: "x"\n  botom: "data"\n}',
      /^net\.prototxt:3:3: LayerParameter has no field botom; did you mean bottom\?$/,
    );
    refused('layer { constructor: 1 }', /LayerParameter has no field constructor/);
    refused('layer { [caffe.extra]: 1 }', /:1:9: expected a field/);
  });

  it('names values of another type with line and column', () => {
    refused('name: 3', /:1:7: expected name to be text in quotes, got 3/);
    refused('layer { type: CONVOLUTION }', /:1:15: expected type to be text/);
    refused('input_dim: 1.5', /whole number, got 1\.5/);
    refused('input_dim: 3000000000', /between -2147483648 and 2147483647, got 3000000000/);
    refused('layer { convolution_param { group: -1 } }', /between 0 and 4294967295, got -1/);
    refused('layer { phase: VALIDATE }', /one of TRAIN, TEST, got VALIDATE/);
    refused('layer { phase: 7 }', /one of TRAIN, TEST, got 7/);
    refused('layer { loss_weight: 0x10 }', /to be a number, got 0x10/);
    refused('force_backward: yes', /true or false, got yes/);
    refused('force_backward: [true]', /takes one value, got a list/);
    refused('name: "\\xff"', /UTF-8/);
    refused('name: "\\q"', /\\q is not an escape/);
    refused('layer { name: "x', /no closing quote/);
    refused('layer { clip_param { min: 1 } }', /ClipParameter needs max/);
    refused('name "x"', /expected : after name/);
    refused('layer 3', /expected \{ after layer, got 3/);
    refused('layer { input_param { shape { dim: 9007199254740993 } } }', /between/);
    refused('input_dim: 3x', /3x is not a number/);
    refused('layer: [{}, {}', /, or \]/);
    refused('layer { ', /to close LayerParameter, got the end of the file/);
    refused('layer { > }', /expected a field of LayerParameter, got >/);
    refused('}', /expected a field of NetParameter/);
    refused('name: "x" @', /unexpected character "@"/);
  });

  it('refuses texts that would only exhaust the machine', () => {
    refused('#'.repeat(17 * 1024 * 1024), /at most 16777216 characters/);
    refused('layer { '.repeat(100_000), /LayerParameter has no field layer/);
    refused(`name: "${'\\'.repeat(1_000_001)}`, /quote|escape/);
    assert.equal(parseText(NetParameter, `${' '.repeat(1e6)}${'#\n'.repeat(1e5)}`).layer.length, 0);
  });

  it('prints numbers as Caffe does', () => {
    const cases: [number, string][] = [
      [0.01, '0.01'],
      [1e-8, '1e-08'],
      [1e6, '1e+06'],
      [123456, '123456'],
      [16777216, '16777216'],
      [0.0001, '0.0001'],
      [1 / 3, '0.333333343'],
      [-0, '-0'],
      [1e40, 'inf'],
    ];
    for (const [value, text] of cases) assert.equal(formatNumber(value, 'float'), text);
    assert.equal(formatNumber(1 / 3, 'double'), '0.33333333333333331');
  });

  it('prints bytes that it reads again', () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i);
    const text = formatText(Datum, schema.create(Datum, { data }));
    assert.deepEqual(Uint8Array.from(parseText(Datum, text).data ?? []), data);
    assert.match(formatText(NetParameter, schema.create(NetParameter, { name: 'ä' })), /"\\303\\244"/);
  });

  for (const type of [LayerParameter, NetParameter, SolverParameter, BlobProto] as schema.MessageType[]) {
    it(`prints any ${type.name} so that it reads back the same`, () => {
      fc.assert(
        fc.property(messageOf(type), (message) => {
          assert.deepEqual(parseText(type, formatText(type, message)), message);
        }),
        { numRuns: 50 },
      );
    });
  }

  it('never fails with anything but a FormatError', () => {
    const words = fc.constantFrom(
      'layer',
      'name',
      'pooling_param',
      '{',
      '}',
      '<',
      '>',
      ':',
      '[',
      ']',
      ',',
      '"x"',
      '1',
      '-',
      'inf',
      '.',
      '#',
      '\n',
      "'",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 20 }), (parts) => {
        try {
          parseText(NetParameter, parts.join(' '));
        } catch (error) {
          assert(error instanceof FormatError);
        }
      }),
    );
  });
});

describe('the schema', () => {
  it('gives every field of a message its own number', () => {
    for (const type of Object.values<unknown>(schema).filter(isMessage)) {
      const ids = Object.values(type.fields).map((field) => field.id);
      assert.equal(new Set(ids).size, ids.length, type.name);
    }
  });
});
