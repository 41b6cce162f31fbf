// Checks the native sources: formatting (clang-format; --write repairs it), who includes whom, and the rule that what is
// compiled once per instruction set stays free of the C++ standard library.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { clangFormatPath } from 'clang-format-node';

/** What each folder may include of ours. */
const allowed = {
  'native/include/cortado': ['native/include/cortado'],
  'native/core': ['native/core'],
  'native/kernels': ['native/kernels', 'native/core'],
  'native/cpu/isa': ['native/cpu'],
  'native/cpu': ['native/cpu', 'native/kernels', 'native/core'],
  'native/cuda/runtime': ['native/cuda/runtime', 'native/core'],
  'native/cuda/vendor': ['native/cuda/vendor', 'native/cuda/runtime', 'native/core'],
  'native/cuda/sim': ['native/cuda/sim', 'native/cuda/vendor', 'native/kernels', 'native/core'],
  'native/cuda': ['native/cuda', 'native/cuda/vendor', 'native/cuda/runtime', 'native/kernels', 'native/core'],
  'native/binding': ['native/binding', 'native/core'],
};
/** What every folder may include, if it has a use for it: the binding's one door to the CPU, and what other addons see. */
const doors = new Set(['native/cpu/device.h', 'native/include/cortado/op.h', 'native/include/cortado/export.h']);
/** Who may know of Node. */
const nodes = ['native/binding/', 'native/include/cortado/export.h'];
/** C headers, and compiler headers that hold nothing but intrinsics: no inline C++ that a linker could share. */
const plain = new Set([
  'stddef.h',
  'stdint.h',
  'math.h',
  'float.h',
  'limits.h',
  'string.h',
  'new',
  'immintrin.h',
  'arm_neon.h',
]);

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', 'native', 'test', 'examples'], {
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(h|c|cc|cpp|cu|cuh)$/.test(file) && existsSync(file));

/** Every #include of a file, as { text, system, target }. */
function includes(file) {
  return [...readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)].map(([, mark, name]) => ({
    name,
    system: mark === '<',
    target: posix.normalize(posix.join(posix.dirname(file), name)),
  }));
}

function checkDirections(problems) {
  for (const file of files.filter((name) => name.startsWith('native/'))) {
    const may = allowed[posix.dirname(file)] ?? [];
    for (const { name, system, target } of includes(file)) {
      if (system && /^napi|^node_api|^js_native_api/.test(name) && !nodes.some((place) => file.startsWith(place))) {
        problems.push(`${file}: includes <${name}>; only ${nodes.join(' and ')} may`);
      }
      if (!system && !doors.has(target) && !may.includes(posix.dirname(target))) {
        problems.push(
          `${file}: includes "${name}"; its folder may include only ${may.join(', ') || 'nothing of ours'}`,
        );
      }
    }
  }
}

/** Follows the includes of native/cpu/isa/*.cpp. */
function checkInstructionSetFiles(problems) {
  const queue = files.filter((file) => file.startsWith('native/cpu/isa/'));
  const seen = new Set(queue);
  for (const file of queue) {
    for (const { name, system, target } of includes(file)) {
      if (system && !plain.has(name)) {
        problems.push(`${file}: includes <${name}>, but is compiled once per instruction set`);
      } else if (!system && !seen.has(target) && existsSync(target)) {
        seen.add(target);
        queue.push(target);
      }
    }
  }
}

function checkFormat(problems) {
  if (files.length === 0) return;
  const write = process.argv.includes('--write');
  const run = spawnSync(clangFormatPath, [...(write ? ['-i'] : ['--dry-run', '--Werror']), ...files], {
    encoding: 'utf8',
  });
  if (run.error) throw run.error;
  const where = run.stderr.split('\n').filter((line) => line.includes('error:'));
  problems.push(...where.map((line) => `${line} (npm run format)`));
  if (run.status !== 0 && where.length === 0) problems.push(`clang-format: ${run.stderr}`);
}

const problems = [];
checkDirections(problems);
checkInstructionSetFiles(problems);
checkFormat(problems);
for (const problem of problems) console.error(problem);
console.log(`native sources: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
