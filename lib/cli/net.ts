import type { Command } from 'commander';
import { READY_NAMES } from '../tasks/open-net.js';

export interface ModelOptions {
  readonly model: string;
  readonly weights?: string;
}

/** Adds --model. */
export function addModel(command: Command): Command {
  return command.requiredOption('--model <net>', `a prototxt file, or one of ${READY_NAMES.join(', ')}`);
}
