/** Steps whose tensors do not agree would take a kernel beyond them: each kernel must refuse them when the plan is made. */
import { describeHostile, numbers, state, type HostileCases } from '../support/hostile.js';

/** For each kernel a step that is right, and others that are not. */
const CASES: HostileCases = {
  sigmoid_grad: {
    right: { inputs: [[4], [2, 2]], outputs: [[4]] },
    wrong: [
      { inputs: [[4], [3]] },
      { inputs: [[4]] },
      { outputs: [[5]] },
      { outputs: [undefined] },
      { inputs: [[4], numbers(4)] },
    ],
  },
  fill: {
    right: { inputs: [], outputs: [[4]], attributes: { value: 1 } },
    wrong: [{ outputs: [] }, { outputs: [numbers(4)] }, { attributes: {} }],
  },
  fill_uniform: {
    right: { inputs: [state], outputs: [[5]], attributes: { min: 0, max: 1, stream: 0 } },
    wrong: [{ inputs: [] }, { inputs: [[4]] }, { inputs: [numbers(3)] }, { outputs: [] }],
  },
  fill_unitball: {
    right: { inputs: [state], outputs: [[2, 3]], attributes: { stream: 0 } },
    wrong: [{ outputs: [[0, 3]] }, { inputs: [] }],
  },
  fill_bilinear: {
    right: { inputs: [], outputs: [[1, 1, 2, 2]] },
    wrong: [{ outputs: [[1, 1, 2, 3]] }, { outputs: [[4]] }, { outputs: [] }],
  },
  sgd: {
    right: {
      inputs: [[4], [3], [1], [4], [4]],
      outputs: [[4], [4]],
      attributes: { momentum: 0, rate: 1, share: 1, l1: 0, l2: 0 },
    },
    wrong: [
      { inputs: [[3], [3], [1], [4], [4]] },
      { inputs: [[4], [1], [1], [4], [4]] },
      { inputs: [[4], [3], [2], [4], [4]] },
      { inputs: [[4], [3], [1], [4]] },
      { outputs: [[4]] },
      { outputs: [[5], [4]] },
    ],
  },
  adam: {
    right: {
      inputs: [[4], [3], undefined, [4], [4], [4]],
      outputs: [[4], [4], [4]],
      attributes: { beta1: 0, beta2: 0, epsilon: 1, rate: 1, share: 1, l1: 0, l2: 0 },
    },
    wrong: [
      { inputs: [[4], [3], undefined, [4], [4]] },
      { inputs: [[4], undefined, undefined, [4], [4], [4]] },
      { outputs: [[4], [4]] },
      { outputs: [[4], [4], [5]] },
    ],
  },
  squared_norm: {
    right: { inputs: [[4], [2]], outputs: [[2]] },
    wrong: [{ inputs: [[4], [1]] }, { inputs: [numbers(4), [2]] }, { inputs: [] }, { outputs: [[1]] }],
  },
  clip_factor: {
    right: { inputs: [[2]], outputs: [[1]], attributes: { most: 1 } },
    wrong: [{ inputs: [[1]] }, { inputs: [] }, { outputs: [[2]] }, { attributes: {} }],
  },
  sum: {
    right: { inputs: [[4], [4], [4]], outputs: [[4]], attributes: { coefficients: [1, 2, 3] } },
    wrong: [
      { attributes: { coefficients: [1, 2] } },
      { inputs: [[4], [5], [4]] },
      { inputs: [[4], undefined, [4]] },
      { outputs: [[5]] },
      { inputs: [], attributes: { coefficients: [] } },
    ],
  },
  eltwise_prod: {
    right: { inputs: [[4], [4]], outputs: [[4]] },
    wrong: [{ inputs: [[4], [5]] }, { outputs: [] }, { inputs: [] }],
  },
  eltwise_prod_grad: {
    right: { inputs: [[4], undefined, [4], [4]], outputs: [[4], undefined], attributes: { stable: 1 } },
    wrong: [
      { attributes: { stable: 0 } },
      { inputs: [[3], undefined, [4], [4]] },
      { outputs: [[4], [5]] },
      { inputs: [[4], undefined] },
    ],
  },
  eltwise_max: {
    right: { inputs: [[4], [4]], outputs: [[4], numbers(4)] },
    wrong: [{ outputs: [[4], [4]] }, { outputs: [[4], numbers(5)] }, { inputs: [[4], [5]] }],
  },
  eltwise_max_grad: {
    right: { inputs: [[4], numbers(4)], outputs: [[4], undefined] },
    wrong: [{ inputs: [[4], [4]] }, { inputs: [[4], numbers(3)] }, { inputs: [[4]] }, { outputs: [[4], [3]] }],
  },
  concat: {
    right: {
      inputs: [
        [2, 1],
        [2, 2],
      ],
      outputs: [[2, 3]],
      attributes: { axis: 1, extents: [1, 2] },
    },
    wrong: [
      { attributes: { axis: 2, extents: [1, 2] } },
      { attributes: { axis: -1, extents: [1, 2] } },
      { attributes: { axis: 1, extents: [1, 3] } },
      { attributes: { axis: 1, extents: [-1, 4] } },
      { attributes: { axis: 1, extents: [1, 1e300] } },
      { attributes: { axis: 1, extents: [3] } },
      { inputs: [[2, 1], undefined] },
      {
        inputs: [
          [2, 1],
          [2, 3],
        ],
      },
      { outputs: [[2, 2]] },
    ],
  },
  slice: {
    right: { inputs: [[2, 3]], outputs: [[2, 1], undefined], attributes: { axis: 1, extents: [1, 2] } },
    wrong: [{ inputs: [] }, { outputs: [[2, 2], undefined] }, { attributes: { axis: 1, extents: [1, 1] } }],
  },
  tile: {
    right: { inputs: [[2, 3]], outputs: [[2, 6]], attributes: { axis: 1, tiles: 2 } },
    wrong: [
      { outputs: [[2, 3]] },
      { attributes: { axis: 2, tiles: 2 } },
      { attributes: { axis: 1, tiles: 0 } },
      { inputs: [] },
    ],
  },
  tile_grad: {
    right: { inputs: [[2, 6]], outputs: [[2, 3]], attributes: { axis: 1, tiles: 2 } },
    wrong: [{ inputs: [[2, 3]] }, { attributes: { axis: -1, tiles: 2 } }, { outputs: [] }],
  },
  crop: {
    right: { inputs: [[4, 4]], outputs: [[2, 3]], attributes: { offsets: [2, 1] } },
    wrong: [
      { attributes: { offsets: [3, 1] } },
      { attributes: { offsets: [-1, 1] } },
      { attributes: { offsets: [1] } },
      { outputs: [[2, 3, 1]] },
      { outputs: [[0, 3]] },
      { inputs: [] },
    ],
  },
  crop_grad: {
    right: { inputs: [[2, 3]], outputs: [[4, 4]], attributes: { offsets: [2, 1] } },
    wrong: [{ inputs: [[4, 5]] }, { attributes: { offsets: [2, NaN] } }, { outputs: [] }],
  },
  reduction: {
    right: { inputs: [[2, 3]], outputs: [[2]], attributes: { operation: 0, coefficient: 1 } },
    wrong: [
      { outputs: [[4]] },
      { outputs: [[0]] },
      { inputs: [] },
      { outputs: [] },
      { attributes: { operation: 3, coefficient: 1 } },
    ],
  },
  reduction_grad: {
    right: { inputs: [[2], undefined], outputs: [[2, 3]], attributes: { operation: 0, coefficient: 1 } },
    wrong: [{ attributes: { operation: 1, coefficient: 1 } }, { inputs: [[4], undefined] }, { outputs: [] }],
  },
  take_rows: {
    right: { inputs: [[2], [5, 3], [3]], outputs: [[2, 3]] },
    wrong: [
      { outputs: [[2, 4]] },
      { inputs: [[2], [], [3]] },
      { inputs: [[2], [5, 3], [4]] },
      { inputs: [[2]] },
      { outputs: [] },
    ],
  },
  take_rows_grad: {
    right: { inputs: [[2], [2, 3]], outputs: [[5, 3], [3]] },
    wrong: [
      { inputs: [[2], [5]] },
      { outputs: [[5, 4], [3]] },
      { outputs: [[5, 3], [4]] },
      { inputs: [[0], [2, 3]] },
      { inputs: [] },
    ],
  },
};

describe('kernels', () => {
  describeHostile(CASES);
});
