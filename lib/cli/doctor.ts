import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { AddonAttempt } from '../errors.js';
import type { NativeInfo } from '../native.js';
import { addonError, addonPlaces } from '../native-loader.js';
import { buildFolder } from '../places.js';
import { print, printJson, type SharedOptions } from './command.js';
import { table, type Finding } from './finding.js';
import { examineGpu } from './gpu.js';
import { version } from './version.js';

const neededNodeApi = 9;

interface AddonState {
  readonly path?: string;
  readonly how?: string;
  readonly info?: NativeInfo;
  readonly tried: readonly AddonAttempt[];
}

/** `cortado doctor`: what this machine offers, what is missing and what mends it. A missing GPU is no fault. */
export function register(command: Command): void {
  command.action(doctor);
}

async function doctor(options: SharedOptions): Promise<void> {
  const addon = examineAddon();
  const basics = [node(), nodeApi(), ...addonFindings(addon), memory()];
  const gpu = await examineGpu(addon.path ?? join(buildFolder, 'cortado.node'));
  const ok = basics.every(({ state }) => state === 'ok');
  if (options.json) {
    printJson({ ok, version: version(), ...facts(addon), findings: basics, gpu });
  } else {
    print(`Cortado ${version()}\n${table(basics)}\n\nGPU (optional): ${gpu.usable ? 'usable' : 'not usable'}`);
    print(table(gpu.findings));
  }
  if (!ok) process.exitCode = 1;
}

/** The numbers behind the findings, for programs. Memory is in bytes. */
function facts(addon: AddonState): object {
  return {
    node: { version: process.versions.node, platform: process.platform, arch: process.arch },
    nodeApi: { version: Number(process.versions.napi), needed: neededNodeApi },
    addon: { path: addon.path ?? null, how: addon.how ?? null, tried: addon.tried },
    cpu: { model: cpus()[0]?.model ?? null, logicalCores: availableParallelism(), ...addon.info },
    memory: { total: totalmem(), available: freemem(), limit: memoryLimit() ?? null },
  };
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const fine = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
  const found = `${process.versions.node} on ${process.platform}-${process.arch}`;
  if (fine) return { name: 'Node', state: 'ok', found, looked: [] };
  return { name: 'Node', state: 'broken', found, looked: [], fix: 'install Node 20.19, 22.12 or newer' };
}

function nodeApi(): Finding {
  const version = Number(process.versions.napi);
  const found = `${version} (${neededNodeApi} needed)`;
  if (version >= neededNodeApi) return { name: 'Node-API', state: 'ok', found, looked: [] };
  return { name: 'Node-API', state: 'broken', found, looked: [], fix: 'install a newer Node' };
}

/** Loads the addon in a process of its own: one that was built for another machine may end it. */
function examineAddon(): AddonState {
  const code = 'process.stdout.write(JSON.stringify(require(process.argv[1]).info()))';
  const tried: AddonAttempt[] = [];
  for (const { path, name, how, reason } of addonPlaces()) {
    if (path === undefined) {
      tried.push({ path: name, reason });
      continue;
    }
    const run = spawnSync(process.execPath, ['-e', code, path], { encoding: 'utf8', timeout: 60_000 });
    if (run.status === 0) return { path, how, info: JSON.parse(run.stdout) as NativeInfo, tried };
    const complaint = run.stderr.split('\n').find((line) => line.includes('Error: '));
    tried.push({ path, reason: run.signal ?? complaint?.trim() ?? `exit code ${run.status ?? '?'}` });
  }
  return { tried };
}

function addonFindings({ path, how, info, tried }: AddonState): Finding[] {
  if (path === undefined || info === undefined) {
    const { fix } = addonError(tried);
    const there = tried.some(({ reason }) => !/^(no such file|not installed)$/.test(reason));
    const looked = tried.map((attempt) => `${attempt.path} (${attempt.reason})`);
    const found = there ? 'does not load' : 'not found';
    return [{ name: 'Addon', state: there ? 'broken' : 'missing', found, looked, fix }];
  }
  const threads = `${info.threads} of ${info.physicalCores} physical, ${availableParallelism()} logical cores`;
  return [
    { name: 'Addon', state: 'ok', found: `${path} (${how ?? ''})`, looked: [] },
    { name: 'Instructions', state: 'ok', found: `${info.isa} (CORTADO_ISA: ${info.isas.join(', ')})`, looked: [] },
    { name: 'Threads', state: 'ok', found: `${threads} (CORTADO_THREADS)`, looked: [] },
  ];
}

function memory(): Finding {
  const limit = memoryLimit();
  const tail = limit === undefined ? 'no container limit' : `container limit ${gib(limit)}`;
  const found = `${gib(totalmem())}, ${gib(freemem())} available, ${tail}`;
  return { name: 'Memory', state: 'ok', found, looked: [] };
}

/** The limit that a control group sets; Node answers 0 or a huge number where there is none. */
function memoryLimit(): number | undefined {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : undefined;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
