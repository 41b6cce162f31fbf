import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { timeTorch, warmTorch } from '../../bench/torch.js';
import { packageRoot } from '../../lib/places.js';
import { typescript } from '../support/cli.js';
import { gone } from '../support/gone.js';
import { pythonHas } from '../support/python.js';

/** Its cases take a while, hang with a process of their own, fail, or end the script; each notes that it has begun. */
const SCRIPT = `
import argparse, json, os, re, subprocess, sys, time
parser = argparse.ArgumentParser()
for name in ("--device", "--threads", "--seconds", "--case"):
    parser.add_argument(name)
args = parser.parse_args()
print("what a script says beside its results", file=sys.stderr)
for how in ("slow", "fails", "ends", "hangs", "slow+again", "hangs+again"):
    if not re.search(args.case, f"torch-1.0+x-cuda:{how}/bvlc/train/b128"):
        continue
    open(f"{__file__}.{how}.{os.getpid()}", "w").write(os.environ.get("TORCHINDUCTOR_COMPILE_THREADS", ""))
    line = {"peer": f"torch-1.0+x-cuda:{how}", "case": "bvlc/train", "batch": 128}
    if how == "fails":
        line |= {"error": "no memory: at all"}
    elif how == "ends":
        sys.exit(3)
    elif how.startswith("hangs"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open(f"{__file__}.{how}.{child.pid}", "w").write("")
        time.sleep(600)
    else:
        time.sleep(0.2)
        line |= {"ms": 10, "images_per_s": 12800, "repeats": 100}
    print(json.dumps(line), flush=True)
`;

describe('PyTorch on a GPU', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'cortado-torch-'));
  const script = join(folder, 'peers.py');
  const cases = ['slow', 'fails', 'ends', 'hangs', 'strange', 'slow+again', 'hangs+again', 'never'].map((how) => {
    return { script, name: `${how}/bvlc/train/b128` };
  });
  const named = (...hows: string[]): typeof cases =>
    cases.filter(({ name }) => hows.some((how) => name.startsWith(`${how}/`)));
  /** Processes that have noted that they began. */
  const begun = (how: string): number[] =>
    readdirSync(folder)
      .filter((name) => name.startsWith(`peers.py.${how}.`))
      .map((name) => Number(name.split('.').at(-1)));

  before(function () {
    if (!pythonHas('json')) this.skip();
  });
  beforeEach(() => writeFileSync(script, SCRIPT));
  afterEach(() => readdirSync(folder).forEach((name) => rmSync(join(folder, name))));
  after(() => rmSync(folder, { recursive: true }));

  it('is timed by one process, and every case that has no figure has a reason', async () => {
    const asked = named('slow', 'fails', 'strange', 'slow+again');
    const { rows, missed } = await timeTorch(asked, 0, 1, { device: 'cuda', quiet: true });
    assert.deepEqual(
      rows.map(({ who, work, batch, inputs }) => [who, work, batch, inputs]),
      ['slow', 'slow+again'].map((how) => [`torch-1.0+x-cuda:${how}`, 'bvlc/train', 128, 'device']),
    );
    assert.deepEqual(missed, [
      { name: 'fails/bvlc/train/b128', why: 'no memory: at all' },
      { name: 'strange/bvlc/train/b128', why: 'unknown to the script' },
    ]);
    assert.deepEqual(begun('slow'), begun('fails'));
  });

  it('has a reason for what a script that ends early leaves out, or one that is not there', async () => {
    const early = await timeTorch(named('slow', 'ends', 'slow+again'), 0, 1, { device: 'cuda', quiet: true });
    assert.deepEqual(
      [early.rows.length, early.missed],
      [1, named('ends', 'slow+again').map(({ name }) => ({ name, why: 'peers: exit code 3 after 1 cases' }))],
    );
    const absent = join(folder, 'absent.py');
    const { missed } = await timeTorch([{ script: absent, name: 'slow/bvlc/train/b128' }], 0, 1, { device: 'cuda' });
    assert.match(missed[0]!.why, /absent\.py is not there/);
  });

  it('compiles several cases at once, those that come to an end in time, and leaves nothing running', async () => {
    const env = { TORCHINDUCTOR_COMPILE_THREADS: '7' };
    const control = new AbortController();
    const warming = warmTorch(cases, 2, 1, control.signal, { device: 'cuda', env });
    // One of the two hangs; when the other does, all before that have come to their end.
    while (begun('hangs+again').length < 2 || begun('hangs').length < 2) await setTimeout(20);
    control.abort();
    const { warm, missed } = await warming;
    assert.deepEqual([...warm], named('slow', 'slow+again'));
    assert.deepEqual(
      missed.map(({ name, why }) => `${name.split('/')[0]}: ${why}`),
      [
        'fails: no memory: at all',
        'ends: peers: exit code 3 after 0 cases',
        'strange: unknown to the script',
        ...['hangs', 'hangs+again', 'never'].map((how) => `${how}: not compiled in time`),
      ],
    );
    assert.equal(readFileSync(`${script}.slow.${begun('slow')[0]}`, 'utf8'), '7');
    for (const pid of [...begun('hangs'), ...begun('hangs+again')]) await gone(pid);
    assert.deepEqual(begun('never'), []);
  });

  it('begins nothing that is too late', async () => {
    const { warm, missed } = await warmTorch(cases, 2, 1, AbortSignal.abort(), { device: 'cuda' });
    assert.deepEqual([warm.size, missed.length, begun('slow')], [0, cases.length, []]);
  });

  it('ends with the benchmark, whatever ends that', async () => {
    const module = pathToFileURL(join(packageRoot, 'bench', 'torch.ts')).href;
    const code = `import { timeTorch } from '${module}';
      await timeTorch(${JSON.stringify(named('hangs'))}, 0, 1, { device: 'cuda', quiet: true });`;
    const file = join(folder, 'main.mts');
    writeFileSync(file, code);
    const bench = spawn(process.execPath, [...typescript, file], { stdio: 'inherit', cwd: packageRoot });
    while (begun('hangs').length < 2) await setTimeout(20);
    const pids = begun('hangs');
    bench.kill('SIGTERM');
    assert.deepEqual(await once(bench, 'exit'), [143, null]);
    for (const pid of pids) await gone(pid);
  });
});
