import type { BadPicture } from '../data/loader.js';
import type { Statistics } from './statistics.js';

/** What an iteration of a training came to. */
export interface TrainStep {
  /** Updates that the model has made, this one included. */
  readonly iteration: number;
  /** Times that the pictures have been gone through, with the fraction of the time under way. */
  readonly epoch: number;
  /** Of this iteration's batch; with an `iterSize`, the mean of its batches. */
  readonly loss: number;
  /** Mean of the last iterations' losses, as many as `averageLoss` says. */
  readonly averageLoss: number;
  /** That the update was made with. */
  readonly rate: number;
  /** The net's other results that are one number, such as the accuracy, on the batch that was learned from. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly imagesPerSecond: number;
  /** Of the iteration, waiting for data included, evaluation and checkpoint not. */
  readonly milliseconds: number;
  /** Milliseconds of it in which there was no batch to compute with. */
  readonly waited: number;
  /** Pictures that were left out of its batches, where there were any. */
  readonly bad?: readonly BadPicture[];
  /** Where this iteration was followed by one. */
  readonly evaluation?: Evaluation;
  /** Where one was written, or could not be. */
  readonly checkpoint?: Saved | NotSaved;
  /** Where they were asked for. */
  readonly statistics?: StepStatistics;
}

/** How a net does on pictures that it does not learn from. */
export interface Evaluation {
  /** The net's results that are one number, losses too: means over the pictures. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Pictures that were looked at. */
  readonly images: number;
  /** Time that it took. */
  readonly milliseconds: number;
  /** Whether it was better than all before it, in a training. */
  readonly best?: boolean;
}

/** A checkpoint on the disk. */
export interface Saved {
  /** The file to go on from. */
  readonly path: string;
  /** That of the best one, where this iteration's evaluation was. */
  readonly best?: string;
  readonly seconds: number;
}

/** A checkpoint that could not be written, for want of room say. The training goes on. */
export interface NotSaved {
  readonly error: Error;
}

/** How large the numbers of a step are. */
export interface StepStatistics {
  /** By layer, of its first result. */
  readonly activations: Readonly<Record<string, Statistics>>;
  /** By parameter, before clipping and penalties; with an `iterSize`, of the iteration's last run. */
  readonly gradients: Readonly<Record<string, Statistics>>;
}
