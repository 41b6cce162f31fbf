import type { Command } from 'commander';
import { MODELS } from '../nets/open.js';

export interface ModelOptions {
  readonly model: string;
  readonly weights?: string;
}

/** Adds --model. */
export function addModel(command: Command): Command {
  return command.requiredOption('--model <net>', MODELS);
}
