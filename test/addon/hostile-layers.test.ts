/** The same for the kernels of layers: pooling, normalisation, dropout, softmax, losses. */
import { describeHostile, numbers, state, type Given, type HostileCases } from '../support/hostile.js';

const window = { kernelH: 3, kernelW: 3, strideH: 2, strideW: 2, padH: 0, padW: 0 };
const across = { localSize: 5, alpha: 1, beta: 0.75, k: 1 };
const within = { localSize: 3, alpha: 1, beta: 0.75 };
const labels = { axis: 1, ignoreLabel: [], normalization: 0 };
const bytes = (...shape: number[]): Given => ({ shape, dtype: 'u8' });

const POOLING: HostileCases = {
  maxPool: {
    right: { inputs: [[1, 2, 5, 5]], outputs: [[1, 2, 2, 2], undefined, bytes(1, 2, 2, 2)], attributes: window },
    wrong: [
      { inputs: [] },
      { inputs: [[2, 5, 5]] },
      { inputs: [[1, 2, 0, 5]] },
      { inputs: [numbers(50)] },
      { outputs: [] },
      { outputs: [[1, 2, 4, 4]] },
      { outputs: [[1, 1, 2, 2]] },
      { outputs: [[1, 2, 2, 2], undefined, [1, 2, 2, 2]] },
      { outputs: [[1, 2, 2, 2], undefined, bytes(1, 2, 2, 1)] },
      {
        outputs: [
          [1, 2, 2, 2],
          [1, 2, 2, 1],
        ],
      },
      { attributes: { ...window, strideW: 0 } },
      { attributes: { ...window, kernelH: 0 } },
      { attributes: { ...window, kernelH: 2 ** 30, kernelW: 2 ** 30 } },
      { attributes: { ...window, padH: 3 } },
      { attributes: { ...window, padW: -1 } },
      { attributes: { ...window, strideH: 2 ** 52 } },
    ],
  },
  maxPool_grad: {
    right: { inputs: [[1, 1, 2, 2], bytes(1, 1, 2, 2)], outputs: [[1, 1, 5, 5]], attributes: window },
    wrong: [
      { inputs: [[1, 1, 2, 2]] },
      {
        inputs: [
          [1, 1, 2, 2],
          [1, 1, 2, 2],
        ],
      },
      { inputs: [[1, 1, 2, 2], bytes(3)] },
      { inputs: [undefined, bytes(1, 1, 2, 2)] },
      { outputs: [] },
      { outputs: [[1, 2, 5, 5]] },
      { outputs: [[1, 1, 2, 2]] },
    ],
  },
  averagePool: {
    right: { inputs: [[1, 2, 5, 5]], outputs: [[1, 2, 2, 2]], attributes: window },
    wrong: [{ inputs: [] }, { outputs: [] }, { outputs: [bytes(1, 2, 2, 2)] }, { outputs: [[1, 2, 4, 4]] }],
  },
  averagePool_grad: {
    right: { inputs: [[1, 2, 2, 2]], outputs: [[1, 2, 5, 5]], attributes: window },
    wrong: [{ inputs: [] }, { outputs: [] }, { inputs: [[1, 1, 2, 2]] }, { outputs: [[1, 2, 2, 2]] }],
  },
};

const NORMALISING: HostileCases = {
  lrn: {
    right: { inputs: [[1, 3, 2, 2]], outputs: [[1, 3, 2, 2]], attributes: across },
    wrong: [
      { inputs: [] },
      { inputs: [[12]] },
      { outputs: [] },
      { outputs: [[11]] },
      { attributes: { ...across, localSize: -3 } },
    ],
  },
  lrn_grad: {
    right: {
      inputs: [
        [1, 3, 2, 2],
        [1, 3, 2, 2],
      ],
      outputs: [[1, 3, 2, 2]],
      attributes: across,
    },
    wrong: [{ inputs: [[1, 3, 2, 2]] }, { inputs: [[11], [1, 3, 2, 2]] }, { outputs: [[11]] }],
  },
  lrn_within: {
    right: { inputs: [[1, 3, 2, 2]], outputs: [[1, 3, 2, 2]], attributes: within },
    wrong: [{ inputs: [[3, 4]] }, { outputs: [[11]] }, { attributes: { ...within, localSize: -3 } }],
  },
  lrn_within_grad: {
    right: {
      inputs: [
        [1, 3, 2, 2],
        [1, 3, 2, 2],
      ],
      outputs: [[1, 3, 2, 2]],
      attributes: within,
    },
    wrong: [{ inputs: [[1, 3, 2, 2]] }, { inputs: [[11], [1, 3, 2, 2]] }, { outputs: [[11]] }],
  },
  batchNorm: {
    right: {
      inputs: [[2, 3, 4]],
      outputs: [[2, 3, 4], [3], [3], [3], [1]],
      attributes: { eps: 0, movingAverageFraction: 1 },
    },
    wrong: [
      { inputs: [] },
      { inputs: [[]] },
      { outputs: [[23]] },
      { outputs: [[2, 3, 4], [2]] },
      { outputs: [[2, 3, 4], [3], [3], [2], [1]] },
      { outputs: [[2, 3, 4], [3], [3], [3], [0]] },
    ],
  },
  batchNorm_grad: {
    right: { inputs: [[2, 3, 4], [2, 3, 4], [3]], outputs: [[2, 3, 4]] },
    wrong: [{ inputs: [[2, 3, 4], [2, 3, 4], [2]] }, { inputs: [[2, 3, 4], [2, 3], [3]] }, { outputs: [] }],
  },
  batchNorm_global: {
    right: { inputs: [[2, 3, 4], [3], [3], [1]], outputs: [[2, 3, 4]], attributes: { eps: 0 } },
    wrong: [{ inputs: [[2, 3, 4], [3], [2], [1]] }, { inputs: [[2, 3, 4], [3], [3]] }, { outputs: [[2, 3]] }],
  },
  batchNorm_global_grad: {
    right: { inputs: [[2, 3, 4], [3], [3], [1]], outputs: [[2, 3, 4]], attributes: { eps: 0 } },
    wrong: [{ inputs: [[2, 3, 4], [3], [2], [1]] }, { inputs: [[2, 3, 4]] }, { outputs: [] }],
  },
  mvn: {
    right: {
      inputs: [[2, 3, 4]],
      outputs: [[2, 3, 4], [6]],
      attributes: { acrossChannels: 0, normalizeVariance: 1, eps: 0 },
    },
    wrong: [{ inputs: [] }, { outputs: [[2, 3, 4], [2]] }, { outputs: [[2, 3]] }],
  },
  mvn_grad: {
    right: {
      inputs: [[2, 3], [2, 3], [2]],
      outputs: [[2, 3]],
      attributes: { acrossChannels: 1, normalizeVariance: 1 },
    },
    wrong: [{ inputs: [[2, 3], [2, 3], [6]] }, { inputs: [[2, 3], [2], [2]] }, { outputs: [] }],
  },
  dropout: {
    right: { inputs: [[5], state], outputs: [[5]], attributes: { ratio: 0.5, stream: 0 } },
    wrong: [{ inputs: [[5], [4]] }, { inputs: [[5]] }, { outputs: [[6]] }, { attributes: { ratio: 1, stream: 0 } }],
  },
};

const SCALING: HostileCases = {
  scale: {
    right: { inputs: [[2, 3], [3], [3]], outputs: [[2, 3]], attributes: { axis: 1, numAxes: 1 } },
    wrong: [
      { inputs: [[2, 3], [2], [3]] },
      { inputs: [[2, 3], [3], [2]] },
      { inputs: [[2, 3]] },
      { outputs: [[2]] },
      { attributes: { axis: 1, numAxes: 2 } },
      { attributes: { axis: -1, numAxes: 1 } },
      { attributes: { axis: 3, numAxes: 2 ** 40 } },
    ],
  },
  bias: {
    right: { inputs: [[2, 3], [3]], outputs: [[2, 3]], attributes: { axis: 1, numAxes: 1 } },
    wrong: [{ inputs: [[2, 3], [2]] }, { inputs: [[2, 3]] }, { outputs: [] }],
  },
  scale_wgrad: {
    right: {
      inputs: [
        [2, 3],
        [2, 3],
      ],
      outputs: [[3], [3]],
      attributes: { axis: 1, numAxes: 1 },
    },
    wrong: [{ inputs: [[2, 3]] }, { inputs: [[2, 3], [3]] }, { outputs: [[2], [3]] }, { outputs: [[3], [4]] }],
  },
  prelu: {
    right: { inputs: [[2, 3], [3]], outputs: [[2, 3]] },
    wrong: [{ inputs: [[2, 3], [2]] }, { inputs: [[6], [6]] }, { inputs: [[2, 3]] }, { outputs: [[5]] }],
  },
  prelu_grad: {
    right: { inputs: [[2, 3], [2, 3], [3]], outputs: [[2, 3], [3]] },
    wrong: [
      { inputs: [[2], [2, 3], [3]] },
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
      },
      { outputs: [[2, 3], [1]] },
      { outputs: [[3]] },
    ],
  },
};

const CLASSIFYING: HostileCases = {
  softmax: {
    right: { inputs: [[2, 3]], outputs: [[2, 3]], attributes: { axis: 1 } },
    wrong: [
      { attributes: { axis: 2 } },
      { attributes: { axis: -1 } },
      { inputs: [[2, 0]] },
      { inputs: [] },
      { outputs: [[5]] },
    ],
  },
  softmax_grad: {
    right: {
      inputs: [
        [2, 3],
        [2, 3],
      ],
      outputs: [[2, 3]],
      attributes: { axis: 1 },
    },
    wrong: [{ inputs: [[2, 3]] }, { inputs: [[2, 3], [5]] }, { outputs: [] }],
  },
  softmaxLoss: {
    right: { inputs: [[2, 3], [2]], outputs: [[]], attributes: labels },
    wrong: [
      { inputs: [[2, 3], [3]] },
      { inputs: [[2, 3]] },
      { outputs: [[2]] },
      { attributes: { ...labels, axis: 5 } },
    ],
  },
  softmaxLoss_grad: {
    right: { inputs: [[2, 3], [2], []], outputs: [[2, 3]], attributes: labels },
    wrong: [{ inputs: [[2, 3], [2]] }, { inputs: [[2, 3], [1], []] }, { outputs: [[5]] }],
  },
  infogainLoss: {
    right: { inputs: [[2, 3], [2], [3, 3]], outputs: [[]], attributes: labels },
    wrong: [{ inputs: [[2, 3], [2], [3]] }, { inputs: [[2, 3], [2]] }, { outputs: [] }],
  },
  infogainLoss_grad: {
    right: { inputs: [[2, 3], [2], [3, 3], []], outputs: [[2, 3]], attributes: labels },
    wrong: [{ inputs: [[2, 3], [2], [3], []] }, { inputs: [[2, 3], [2], [3, 3]] }, { outputs: [[5]] }],
  },
  multinomialLoss: {
    right: { inputs: [[2, 3], [2]], outputs: [[]] },
    wrong: [{ inputs: [[2, 3], [3]] }, { inputs: [[], [1]] }, { outputs: [] }],
  },
  multinomialLoss_grad: {
    right: { inputs: [[2, 3], [2], []], outputs: [[2, 3]] },
    wrong: [{ inputs: [[2, 3], [2]] }, { inputs: [[0, 3], [0], []] }, { outputs: [[2]] }],
  },
  accuracy: {
    right: { inputs: [[2, 3], [2]], outputs: [[], [3]], attributes: { axis: 1, topK: 1, ignoreLabel: [] } },
    wrong: [{ inputs: [[2, 3], [3]] }, { outputs: [[], [2]] }, { outputs: [[2]] }, { inputs: [[2, 3]] }],
  },
  argmax: {
    right: {
      inputs: [[2, 3]],
      outputs: [[2, 2, 2]],
      attributes: { axis: 1, numAxes: 1, topK: 2, indices: 1, values: 1 },
    },
    wrong: [
      { outputs: [[2, 2]] },
      { attributes: { axis: 1, numAxes: 1, topK: 4, indices: 1, values: 1 } },
      { attributes: { axis: 1, numAxes: 1, topK: 0, indices: 1, values: 1 } },
      { attributes: { axis: 1, numAxes: 2, topK: 2, indices: 1, values: 1 } },
      { attributes: { axis: 1, numAxes: 1, topK: 2, indices: 2, values: 0 } },
    ],
  },
};

const MEASURING: HostileCases = {
  euclideanLoss: {
    right: {
      inputs: [
        [2, 3],
        [2, 3],
      ],
      outputs: [[]],
    },
    wrong: [
      {
        inputs: [
          [2, 3],
          [2, 2],
        ],
      },
      { inputs: [[], []] },
      { inputs: [[0], [0]] },
      { outputs: [] },
    ],
  },
  euclideanLoss_grad: {
    right: { inputs: [[2, 3], [2, 3], []], outputs: [[2, 3], undefined] },
    wrong: [
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
      },
      { inputs: [[2, 3], [5], []] },
      { outputs: [[2, 3], [5]] },
    ],
  },
  sigmoidCrossEntropyLoss: {
    right: {
      inputs: [
        [2, 3],
        [2, 3],
      ],
      outputs: [[]],
      attributes: { ignoreLabel: [], normalization: 1 },
    },
    wrong: [{ inputs: [[2, 3], [5]] }, { outputs: [[2]] }],
  },
  sigmoidCrossEntropyLoss_grad: {
    right: { inputs: [[2, 3], [2, 3], []], outputs: [[2, 3]], attributes: { ignoreLabel: [], normalization: 1 } },
    wrong: [
      {
        inputs: [
          [2, 3],
          [2, 3],
        ],
      },
      { outputs: [[5]] },
    ],
  },
  hingeLoss: {
    right: { inputs: [[2, 3], [2]], outputs: [[]], attributes: { squared: 0 } },
    wrong: [{ inputs: [[2, 3], [3]] }, { inputs: [[2, 3]] }, { outputs: [] }],
  },
  hingeLoss_grad: {
    right: { inputs: [[2, 3], [2], []], outputs: [[2, 3]], attributes: { squared: 0 } },
    wrong: [{ inputs: [[2, 3], [2]] }, { outputs: [[5]] }],
  },
  contrastiveLoss: {
    right: { inputs: [[2, 3], [2, 3], [2]], outputs: [[]], attributes: { margin: 1, legacy: 0 } },
    wrong: [{ inputs: [[2, 3], [2, 2], [2]] }, { inputs: [[2, 3], [2, 3], [3]] }, { outputs: [] }],
  },
  contrastiveLoss_grad: {
    right: { inputs: [[2, 3], [2, 3], [2], []], outputs: [undefined, [2, 3]], attributes: { margin: 1, legacy: 0 } },
    wrong: [{ inputs: [[2, 3], [2, 3], [2]] }, { outputs: [[5], undefined] }],
  },
};

describe('kernels of layers', () => {
  for (const cases of [POOLING, NORMALISING, SCALING, CLASSIFYING, MEASURING]) describeHostile(cases);
});
