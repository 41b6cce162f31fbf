/** The original Caffe as a peer: `caffe test` is inference, `caffe train` whole steps, on nets that Cortado writes. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { exportNet, exportSolver, formatNet, formatSolver, writeCaffemodel, type Net } from '../lib/caffe/index.js';
import { create, DummyDataParameter, FillerParameter, LayerParameter } from '../lib/caffe/schema.js';
import type { Graph } from '../lib/index.js';
import { SOLVER, WORKLOADS, type NetRow, type Workload } from './nets.js';
import type { PeerResults } from './peers.js';
import { LEAST_RUNS, median } from './timing.js';

/** Caffe's program, `build/tools/caffe` of a clone; undefined: not named. */
export const CAFFE = process.env.CORTADO_CAFFE;

const DAY = 24 * 3600 * 1000;
/** More than anybody waits for; the program is ended when it has run for long enough. */
const ENDLESS = 1_000_000;

/** Times the workloads of float32 that match, as the other peers are; nothing but a note where there is no Caffe. */
export async function benchCaffe(
  program: string | undefined,
  filter: string,
  seconds: number,
  threads: number,
): Promise<Pick<PeerResults, 'rows' | 'skipped'>> {
  if (!program) return { rows: [], skipped: ['no Caffe: CORTADO_CAFFE does not name its program'] };
  const told = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const [, version] = /version (\S+)/.exec(told.stdout ?? '') ?? [];
  if (version === undefined)
    return { rows: [], skipped: [`no Caffe: ${program} (CORTADO_CAFFE): ${told.error?.message ?? told.stderr}`] };
  const who = `caffe-${version}-cpu${blasOf(program)}`;
  const rows: NetRow[] = [];
  const skipped: string[] = [];
  for (const load of WORKLOADS) {
    const { work, batch, precision } = load;
    if (precision !== undefined || !new RegExp(filter).test(`${who}/${work}/b${batch}`)) continue;
    try {
      const times = await timeWorkload(program, load, seconds, threads);
      const ms = median(times);
      rows.push({ who, work, batch, ms, imagesPerSecond: (1000 * batch) / ms, repeats: times.length });
    } catch (error) {
      skipped.push(`${who} ${work}, batch ${batch}: ${(error as Error).message}`);
    }
  }
  return { rows, skipped };
}

/** Which BLAS the program loads, by the name of the file: `:openblasp-r0.3.21`; nothing where no ldd tells. */
function blasOf(program: string): string {
  const [, path] = /=> (\S*lib\w*(?:blas|mkl|atlas)\S*)/.exec(spawnSync('ldd', [program]).stdout?.toString()) ?? [];
  return path === undefined ? '' : `:${basename(realpathSync(path)).replace(/^lib|\.so.*/g, '')}`;
}

/** Writes the files of a workload into a folder of their own, and times Caffe on them. */
async function timeWorkload(
  program: string,
  { net, batch, train }: Workload,
  seconds: number,
  threads: number,
): Promise<number[]> {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-caffe-'));
  try {
    const [model, solver, weights] = ['net.prototxt', 'solver.prototxt', 'none.caffemodel'].map((n) => join(folder, n));
    await writeFile(model!, formatNet(fedNet(net(), batch)));
    if (train) {
      const settings = exportSolver({ solver: SOLVER, iterations: ENDLESS });
      const file = { ...settings, net: model!, display: 1, solver_mode: 'CPU' as const, snapshot_after_train: false };
      await writeFile(solver!, formatSolver(file));
      return await timeRuns(program, ['train', `--solver=${solver}`], seconds, threads);
    }
    // `caffe test` asks for weights: those of no layer leave the random ones that the net has.
    await writeCaffemodel(weights!, { name: 'none', layers: [] });
    const files = [`--model=${model}`, `--weights=${weights}`];
    return await timeRuns(program, ['test', ...files, `--iterations=${ENDLESS}`], seconds, threads);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The net as far as its loss, fed by a layer that fills its blobs once: in the phase TEST that is inference. */
export function fedNet(graph: Graph, batch: number): Net {
  const { definition } = exportNet(graph, { batch, outputs: ['loss'] });
  const [input, ...layers] = definition.layer;
  const data_filler = [create(FillerParameter, { type: 'constant', value: 1 })];
  const dummy_data_param = create(DummyDataParameter, { shape: input!.input_param!.shape, data_filler });
  const data = create(LayerParameter, { name: 'data', type: 'DummyData', top: input!.top, dummy_data_param });
  return { ...definition, layer: [data, ...layers] };
}

/** Milliseconds from the end of each run to that of the next, by the time stamps of Caffe's log. */
async function timeRuns(program: string, args: string[], seconds: number, threads: number): Promise<number[]> {
  const count = `${threads}`;
  const env = {
    ...process.env,
    GLOG_logtostderr: '1', // and not to files
    ...{ OPENBLAS_NUM_THREADS: count, OMP_NUM_THREADS: count, MKL_NUM_THREADS: count },
  };
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise<void>((done, failed) => child.on('error', failed).on('close', () => done()));
  const times: number[] = [];
  let [before, total, last]: [number | undefined, number, string] = [undefined, 0, 'it printed nothing'];
  for await (const line of createInterface({ input: child.stderr })) {
    // Of a failed check Caffe prints the reason, then a stack.
    if (!last.startsWith('F')) last = line;
    const at = endOfRun(line);
    if (at === undefined) continue;
    if (before !== undefined) total += times[times.push((at - before + DAY) % DAY) - 1]!;
    before = at;
    if (times.length >= LEAST_RUNS && total >= 1000 * seconds) break;
  }
  child.kill('SIGKILL');
  await ended;
  if (times.length < LEAST_RUNS) throw new Error(`it ended after ${times.length} timed runs: ${last}`);
  return times;
}

/**
 * The time of day, in milliseconds, of a line that Caffe prints once a run: `caffe test` when a batch has gone through
 * the net, `caffe train` with `display: 1` between backward and update, so that from one to the next is a whole step.
 */
export function endOfRun(line: string): number | undefined {
  const stamp = /^I\d+ (\d+):(\d+):(\d+\.\d+) .*\] (?:Iteration|Batch) \d+.*, loss = /.exec(line);
  if (!stamp) return undefined;
  const [hours, minutes, seconds] = stamp.slice(1).map(Number);
  return 1000 * (3600 * hours! + 60 * minutes! + seconds!);
}
