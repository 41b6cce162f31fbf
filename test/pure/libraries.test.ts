/** Where NVIDIA's libraries are looked for, in which order. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { candidates, CUDNN, isOff, places, plansFolder } from '../../lib/libraries.js';

const VARIABLES = ['CORTADO_CUDNN', 'CUDNN_ROOT', 'VIRTUAL_ENV', 'CORTADO_CACHE', 'XDG_CACHE_HOME'];

describe('the search for libraries', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cortado-libraries-'));
  const saved = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  const clear = (): void => VARIABLES.forEach((name) => Reflect.deleteProperty(process.env, name));
  beforeEach(clear);
  after(() => {
    clear();
    for (const [name, value] of Object.entries(saved)) if (value !== undefined) process.env[name] = value;
    rmSync(folder, { recursive: true });
  });
  const [name] = CUDNN.names;

  it('goes from the named folder to that of the addon, the loader, and what else there may be', () => {
    process.env.CUDNN_ROOT = join(folder, 'root');
    const all = candidates(CUDNN, join(folder, 'addon'), [join(folder, 'wheel')]);
    const order = [
      join(folder, 'root', name!),
      join(folder, 'root', 'lib', name!),
      join(folder, 'addon', name!),
      name!,
      join(folder, 'wheel', name!),
    ];
    const found = order.map((place) => all.indexOf(place));
    assert.ok(found[0] === 0 && found.every((at, i) => i === 0 || at > found[i - 1]!), found.join());
    for (const place of CUDNN.folders) assert.ok(all.indexOf(join(place, name!)) > found.at(-1)!, place);
    for (const word of ['$CORTADO_CUDNN', '$CUDNN_ROOT', join(folder, 'addon'), 'Python', ...CUDNN.folders])
      assert.ok(places(CUDNN, join(folder, 'addon')).includes(word), word);
  });

  it('takes nothing but what CORTADO_CUDNN names: a file, a folder, or nothing', () => {
    const file = join(folder, 'own.so');
    writeFileSync(file, '');
    process.env.CORTADO_CUDNN = file;
    assert.deepEqual(candidates(CUDNN, folder, []), [file]);
    process.env.CORTADO_CUDNN = folder;
    assert.ok(candidates(CUDNN, '/elsewhere', ['/elsewhere']).every((place) => place.startsWith(folder)));
    assert.equal(isOff(CUDNN), false);
    process.env.CORTADO_CUDNN = 'off';
    assert.deepEqual(candidates(CUDNN, folder, []), []);
    assert.equal(isOff(CUDNN), true);
  });

  it('keeps plans where CORTADO_CACHE says, or in the user’s cache', () => {
    process.env.XDG_CACHE_HOME = folder;
    assert.equal(plansFolder(), join(folder, 'cortado', 'plans'));
    process.env.CORTADO_CACHE = join(folder, 'own');
    assert.equal(plansFolder(), join(folder, 'own', 'plans'));
  });
});
