import { GraphError, ShapeError, UsageError } from '../errors.js';
import type { Graph, Value } from '../graph.js';
import { normalization, type CutOptions, type Normalization, type PreprocessOptions } from '../images/index.js';
import { count, pair } from '../shape.js';
import { scoresOf } from '../train/index.js';
import { results } from '../wanted.js';

/** What a net wants of a picture, every choice made. */
export interface PictureSpec {
  /** Name of the input. */
  readonly input: string;
  readonly cut: CutOptions;
  readonly normalization: Normalization;
  /** Cuts of one picture: rows of a run. */
  readonly rows: number;
}

const CROPS = 10;

/**
 * Fills in what the graph tells: the crop is its input's extents; pictures are resized to 256 by 256 for nets that take
 * 224 to 256, else to the crop.
 * @throws {GraphError} unless the net has exactly one input of pictures
 * @throws {ShapeError | UsageError} for choices that do not fit it
 */
export function pictureSpec(graph: Graph, options: PreprocessOptions = {}): PictureSpec {
  const input = imageInput(graph);
  const { shape } = graph.inputSpecs[input]!;
  const [channels, height, width] = shape as [number, number, number];
  if (channels !== 1 && channels !== 3)
    throw new ShapeError(`input: expected 1 or 3 channels for pictures, got (${shape.join(', ')})`);
  const crop = pair(options.crop ?? [height, width], 'crop', 1);
  if (crop[0] !== height || crop[1] !== width)
    throw new UsageError(`crop: this net takes pictures of ${height}x${width}, got ${crop.join('x')}`);
  const large = Math.min(height, width) >= 224 && Math.max(height, width) <= 256;
  const resize = options.resize ?? (large ? 256 : crop);
  const [tall, wide] = pair(resize, 'resize', 1);
  if (tall < height || wide < width)
    throw new UsageError(`resize: expected at least ${Math.max(height, width)}, the size that is cut out, got ${tall}`);
  const { keepAspect = false, oversample = false, channelOrder = 'bgr' } = options;
  return {
    input,
    cut: { resize, keepAspect, crop, oversample, channelOrder: channels === 1 ? 'grey' : channelOrder },
    normalization: normalization(options, [channels, height, width]),
    rows: oversample ? CROPS : 1,
  };
}

/** Whether a net sees pictures and tells classes. */
export function takesPictures(graph: Graph): boolean {
  const images = imageInputs(graph);
  const output = results(graph).at(-1);
  return images.length === 1 && [1, 3].includes(images[0]![1].shape[1]!) && !!output && count(output.shape, 1) > 1;
}

function imageInputs(graph: Graph): [string, Value][] {
  return Object.entries(graph.inputs).filter(([, value]) => value.shape.length === 4);
}

function imageInput(graph: Graph): string {
  const images = imageInputs(graph);
  const [first] = images;
  if (first && images.length === 1) return first[0];
  const got = Object.entries(graph.inputs).map(([name, value]) => `${name} (${value.shape.join(', ')})`);
  throw new GraphError(`${graph.name}: expected one input of pictures (N, C, H, W), got ${got.join(', ') || 'none'}`);
}

/** The output that says how likely each class is, or what a loss makes of it. @throws {GraphError} when there is none */
export function answerOf(graph: Graph): Value {
  const judged = Object.keys(graph.inputs).flatMap((name) => scoresOf(graph, name) ?? []);
  const output = [results(graph).at(-1), ...judged].find((value) => value && count(value.shape, 1) > 1);
  if (output) return output;
  throw new GraphError(
    `${graph.name}: expected an output with a number for each class, got none; is it a deploy.prototxt?`,
  );
}

/** Whether a value is probabilities already. */
export function isNormalized(value: Value): boolean {
  return typeof value.source === 'object' && 'node' in value.source && value.source.node.op.name === 'softmax';
}

/** What the last layer that has learned reads: the features that it tells classes by. `fc7` of AlexNet, rectified. */
export function featuresOf(answer: Value): Value {
  let value = answer;
  while (typeof value.source === 'object' && 'node' in value.source) {
    const { node } = value.source;
    value = node.inputs[0]!;
    if (node.inputs.length > node.arity) return value;
  }
  throw new GraphError(`${answer.name}: expected a net with parameters to take features from`);
}
