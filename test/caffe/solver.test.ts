import assert from 'node:assert/strict';
import { exportSolver, formatSolver, importSolver } from '../../lib/caffe/index.js';
import { parseText } from '../../lib/caffe/prototxt.js';
import { SolverParameter } from '../../lib/caffe/schema.js';
import {
  adadelta,
  adagrad,
  adam,
  adamW,
  FormatError,
  nesterov,
  rates,
  rmsprop,
  sgd,
  UsageError,
} from '../../lib/index.js';
import type { Solver } from '../../lib/index.js';

const read = (text: string): ReturnType<typeof importSolver> =>
  importSolver(parseText(SolverParameter, text, 'solver.prototxt'));

/** All that a solver is made of, its functions asked. */
function told(solver: Solver): object {
  const filler = { type: 'constant', value: 0 } as const;
  const attributes = solver.attributes({ filler, rate: 2, decay: 3, learned: true });
  return { ...solver, attributes, factors: solver.factors(4) };
}

describe('solver files', () => {
  const common = { weightDecay: 0.0005, clip: 2, iterSize: 3 } as const;
  const rate = rates.step({ base: 0.01, gamma: 0.1, every: 1000 });
  const solvers: readonly Solver[] = [
    sgd({ rate, momentum: 0.9, ...common }),
    sgd({ rate: 0.1, regularization: 'L1', weightDecay: 0.1 }),
    nesterov({ rate: rates.inv({ base: 0.01, gamma: 0.0001, power: 0.75 }), momentum: 0.95 }),
    adagrad({ rate: rates.exp({ base: 0.01, gamma: 0.99 }), epsilon: 0.001, ...common }),
    rmsprop({ rate: rates.multistep({ base: 0.01, gamma: 0.5, at: [5, 9] }), smoothing: 0.98 }),
    adadelta({ rate: rates.sigmoid({ base: 1, gamma: -0.5, middle: 20 }) }),
    adam({ rate: rates.poly({ base: 0.001, power: 0.5, iterations: 100 }), beta1: 0.8, ...common }),
  ];

  for (const solver of solvers) {
    it(`say the same when written and read again: ${solver.name} ${solver.rate.policy}`, () => {
      const plan = { solver, iterations: 100, averageLoss: 20, seed: 7 };
      const again = read(formatSolver(exportSolver(plan)));
      assert.deepEqual(told(again.solver), told(solver));
      assert.deepEqual({ ...again, solver }, plan);
    });
  }

  it('leave out what Caffe has a default for', () => {
    const { solver, ...rest } = read('base_lr: 0.1 lr_policy: "fixed"');
    assert.deepEqual(rest, { iterations: undefined, averageLoss: 1, seed: undefined });
    assert.deepEqual(told(solver), told(sgd({ rate: 0.1 })));
  });

  it('are refused with place and reason', () => {
    const wrong: [string, RegExp][] = [
      ['base_lr: 1', /^solver.prototxt:1:1: expected lr_policy, got none/],
      ['lr_policy: "fixed"', /expected base_lr, got none/],
      ['base_lr: 1 lr_policy: "step" gamma: 1', /expected stepsize for lr_policy "step", got none/],
      ['base_lr: 1 lr_policy: "cosine"', /expected fixed, step, .* got "cosine"/],
      ['base_lr: -1 lr_policy: "fixed"', /^solver.prototxt:1:1: .*at least 0, got -1/],
      ['base_lr: 1 lr_policy: "fixed" type: "Adm"', /expected one of SGD, .*, got "Adm"/],
      ['base_lr: 1 lr_policy: "fixed" type: "AdaGrad" momentum: 0.5', /momentum: expected none with AdaGrad, got 0.5/],
      ['base_lr: 1 lr_policy: "fixed" regularization_type: "L3"', /regularization_type: expected L1 or L2, got "L3"/],
      ['base_lr: 1 lr_policy: "fixed" iter_size: 0', /iterSize/],
    ];
    for (const [text, message] of wrong) assert.throws(() => read(text), { name: FormatError.name, message });
  });

  it('cannot hold what Caffe does not have', () => {
    const cosine = sgd({ rate: rates.cosine({ base: 1, iterations: 9 }) });
    const poly = sgd({ rate: rates.poly({ base: 1, power: 1, iterations: 9 }) });
    assert.throws(() => exportSolver({ solver: adamW({ rate: 1 }) }), { name: UsageError.name, message: /adamW/ });
    assert.throws(() => exportSolver({ solver: cosine }), { name: UsageError.name, message: /cosine/ });
    assert.throws(() => exportSolver({ solver: poly, iterations: 8 }), {
      name: UsageError.name,
      message: /9 .* got 8/,
    });
  });
});
