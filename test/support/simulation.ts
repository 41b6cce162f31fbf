import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { addonPath } from '../../lib/native.js';

/** For `before`: skips the tests where the simulated GPU, which they run on whatever the device is, was not built. */
export function needsSimulation(this: Mocha.Context): void {
  if (existsSync(join(dirname(addonPath()), 'cortado_cuda_sim.so'))) return;
  console.log('    (the simulated GPU is not built: npm run build:sim)');
  this.skip();
}
