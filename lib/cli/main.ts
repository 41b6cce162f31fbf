#!/usr/bin/env node
import { quietOnClosedPipe, run } from './commands.js';

quietOnClosedPipe();
process.exitCode = await run(process.argv.slice(2));
