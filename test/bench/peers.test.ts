import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { benchPeers, benchPeersLonger } from '../../bench/peers.js';
import { gone } from '../support/gone.js';
import { pythonHas } from '../support/python.js';

/** As the scripts of peers do: two cases of 0.01 and 2 s a run, at least three runs; notes how it was called. */
const SCRIPT = `
import argparse, json, re
parser = argparse.ArgumentParser()
for name in ("--threads", "--seconds", "--case"):
    parser.add_argument(name)
args = parser.parse_args()
open(__file__ + ".calls", "a").write(f"{args.seconds} {args.case}\\n")
for case, s in (("bvlc/infer", 0.01), ("bvlc/train", 2.0)):
    if re.search(args.case, f"lib-1.0+cpu:a+b/{case}/b64"):
        print(json.dumps({"peer": "lib-1.0+cpu:a+b", "case": case, "batch": 64, "ms": 1000 * s,
                          "images_per_s": 64 / s, "repeats": max(3, int(float(args.seconds) / s))}))
`;

/** Prints one case and never ends, as little as what it has started, which holds its output open. */
const ENDLESS = `
import os, subprocess, sys, time
print('{"peer": "lib", "case": "bvlc/infer", "batch": 64, "ms": 10, "images_per_s": 6400, "repeats": 100}', flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(__file__ + ".pid.part", "w").write(str(child.pid))
os.rename(__file__ + ".pid.part", __file__ + ".pid")
time.sleep(600)
`;

describe('peers in Python', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-peers-'));
  before(function () {
    if (!pythonHas('json')) this.skip();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are timed again, by themselves, where they had fewer than ten runs', async () => {
    const path = join(folder, 'peers.py');
    writeFileSync(path, SCRIPT);
    const { rows } = await benchPeersLonger(path, 'lib', 5, 1);
    assert.deepEqual(
      rows.map(({ work, repeats }) => [work, repeats]),
      [
        ['bvlc/infer', 500],
        ['bvlc/train', 12],
      ],
    );
    assert.equal(readFileSync(`${path}.calls`, 'utf8'), '5 lib\n24 ^lib-1\\.0\\+cpu:a\\+b/bvlc/train/b64$\n');
  });

  it('leave what they have printed when they are stopped', async () => {
    const path = join(folder, 'endless.py');
    writeFileSync(path, ENDLESS);
    const control = new AbortController();
    const results = benchPeers(path, 'lib', 5, 1, { signal: control.signal });
    while (!existsSync(`${path}.pid`)) await setTimeout(20);
    control.abort();
    const { rows, skipped } = await results;
    await gone(Number(readFileSync(`${path}.pid`, 'utf8')));
    assert.deepEqual(
      rows.map(({ who, ms }) => [who, ms]),
      [['lib', 10]],
    );
    assert.deepEqual(skipped, ['peers: cut off after 1 cases']);
  });

  it('say how they failed', async () => {
    const path = join(folder, 'failing.py');
    writeFileSync(path, 'raise SystemExit(3)');
    const { rows, skipped } = await benchPeers(path, 'lib', 5, 1, { quiet: true });
    assert.deepEqual([rows, skipped], [[], ['peers: exit code 3 after 0 cases']]);
  });
});
