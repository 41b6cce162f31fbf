import { FormatError } from '../../errors.js';
import {
  bilinear,
  constant,
  gaussian,
  msra,
  positiveUnitball,
  uniform,
  xavier,
  type Filler,
  type VarianceNorm,
} from '../../fillers.js';
import { filled, FillerParameter, type Filler as FillerMessage } from '../schema.js';
import { at } from '../text/position.js';

const NORMS = { FAN_IN: 'fan_in', FAN_OUT: 'fan_out', AVERAGE: 'average' } as const satisfies Record<
  string,
  VarianceNorm
>;

/** What a file says of a parameter's first values; silence means `otherwise`, which Caffe makes zeros for most. */
export function fillerOf(message: FillerMessage | undefined, otherwise: Filler = constant(0)): Filler {
  if (!message) return otherwise;
  const { type, value, min, max, mean, std, sparse, variance_norm } = filled(FillerParameter, message);
  switch (type) {
    case 'constant':
      return constant(value);
    case 'uniform':
      return uniform(min, max);
    case 'gaussian':
      return sparse < 0 ? gaussian(std, mean) : gaussian(std, mean, sparse);
    case 'xavier':
      return xavier(NORMS[variance_norm]);
    case 'msra':
      return msra(NORMS[variance_norm]);
    case 'positive_unitball':
      return positiveUnitball();
    case 'bilinear':
      return bilinear();
    default:
      throw new FormatError(
        `${at(message)}expected a filler of type constant, uniform, gaussian, xavier, msra, positive_unitball or bilinear, got ${JSON.stringify(type)}`,
      );
  }
}

/** The message that says the same. */
export function fillerMessage(filler: Filler): FillerMessage {
  switch (filler.type) {
    case 'gaussian': {
      const { type, mean, std, sparse } = filler;
      return { type, ...(mean !== 0 && { mean }), std, ...(sparse !== undefined && { sparse }) };
    }
    case 'xavier':
    case 'msra': {
      const norm = filler.varianceNorm ?? 'fan_in';
      const variance_norm = norm === 'fan_out' ? 'FAN_OUT' : norm === 'average' ? 'AVERAGE' : 'FAN_IN';
      return { type: filler.type, ...(norm !== 'fan_in' && { variance_norm }) };
    }
    default:
      return filler;
  }
}
