/** Solvers as their papers and Caffe write them, one weight at a time, in double precision. */
export interface Numbers {
  readonly momentum: number;
  readonly smoothing: number;
  readonly epsilon: number;
  readonly beta1: number;
  readonly beta2: number;
}

/** Changes the history `h` and gives what to subtract from the weight; `t` counts from 1. */
type Reference = (n: Numbers, rate: number, g: number, h: number[], t: number) => number;

const moments = ({ beta1, beta2 }: Numbers, g: number, h: number[]): void => {
  h[0] = beta1 * h[0]! + (1 - beta1) * g;
  h[1] = beta2 * h[1]! + (1 - beta2) * g * g;
};

export const REFERENCES: Readonly<Record<string, Reference>> = {
  sgd: ({ momentum }, rate, g, h) => (h[0] = momentum * h[0]! + rate * g),
  nesterov({ momentum }, rate, g, h) {
    const before = h[0]!;
    h[0] = momentum * before + rate * g;
    return h[0] + momentum * (h[0] - before);
  },
  adagrad({ epsilon }, rate, g, h) {
    h[0] = h[0]! + g * g;
    return (rate * g) / (Math.sqrt(h[0]) + epsilon);
  },
  rmsprop({ smoothing, epsilon }, rate, g, h) {
    h[0] = smoothing * h[0]! + (1 - smoothing) * g * g;
    return (rate * g) / (Math.sqrt(h[0]) + epsilon);
  },
  adadelta({ smoothing, epsilon }, rate, g, h) {
    h[0] = smoothing * h[0]! + (1 - smoothing) * g * g;
    const update = (g * Math.sqrt(h[1]! + epsilon)) / Math.sqrt(h[0] + epsilon);
    h[1] = smoothing * h[1]! + (1 - smoothing) * update * update;
    return rate * update;
  },
  adam(numbers, rate, g, h, t) {
    moments(numbers, g, h);
    const corrected = (rate * Math.sqrt(1 - numbers.beta2 ** t)) / (1 - numbers.beta1 ** t);
    return (corrected * h[0]!) / (Math.sqrt(h[1]!) + numbers.epsilon);
  },
  adamW(numbers, rate, g, h, t) {
    moments(numbers, g, h);
    const [mean, square] = [h[0]! / (1 - numbers.beta1 ** t), h[1]! / (1 - numbers.beta2 ** t)];
    return (rate * mean) / (Math.sqrt(square) + numbers.epsilon);
  },
};
