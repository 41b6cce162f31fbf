#!/usr/bin/env bash
# Tests and times Cortado on this machine's GPU: bash scripts/gpu/run.sh RESULTS [MINUTES [OPTIONS OF bench/gpu.ts…]]
# It ends within MINUTES (9 unless given), of which the tests get at most half. Each part writes into the folder RESULTS as
# it goes, so that what is cut off is there as far as it came; summary.txt says how each part ended. Wants the CUDA backend
# in build/Release, and Node: the file `node` of an archive that npm run pack:gpu made, or that of the PATH. compute-sanitizer
# is used where it is. CORTADO_DEVICE names another device, CORTADO_PEERS (a whole path) and CORTADO_PYTHON what the benchmark is
# compared with: see bench/README.md.
set -uo pipefail
results=$(mkdir -p "${1:?the folder for the results}" && cd "$1" && pwd)
end=$((SECONDS + ${2:-9} * 60))
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="$PWD:$PATH:/usr/local/cuda/bin" CORTADO_FIXTURES="${CORTADO_FIXTURES:-$([ -d fixtures ] && echo fixtures || echo ../shared/fixtures)}"
device=${CORTADO_DEVICE:-cuda}
: >"$results/summary.txt"

# part NAME SECONDS COMMAND…: at most so long; what it prints goes to NAME.txt.
part() {
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  # To timeout, 0 is no limit.
  [ "$limit" -gt 0 ] || limit=1
  timeout --kill-after=5 "$limit" "$@" >"$results/$name.txt" 2>&1 </dev/null || status=$?
  [ "$status" -eq 124 ] && status='124, cut off'
  echo "$name: exit code $status, $((SECONDS - start)) s" | tee -a "$results/summary.txt"
}

part probe 60 build/Release/cortado_cuda_probe
# Figures are worth nothing where results are wrong, and both have to fit.
part tests $(((end - SECONDS) / 2)) node --import tsx test/on-device.ts "$device"
# At once, for nobody times them: every op beside the CPU's, and kernels of our own, without libraries in their place,
# watched by NVIDIA's sanitizers.
check=$(((end - SECONDS) / 3))
[ "$check" -le 40 ] || check=40
part verify "$check" node --import tsx lib/cli/main.ts verify --device "$device" --out "$results/verify.json" &
watched=(test/on-device.ts "$device" ops/{pool,lrn,softmax,class-loss})
if [ "$device" = cuda-sim ] || ! command -v compute-sanitizer >/dev/null; then
  echo 'memcheck, racecheck: left out, no GPU or no compute-sanitizer here' | tee -a "$results/summary.txt"
else
  for tool in memcheck racecheck; do
    part "$tool" "$check" env CORTADO_CUDNN=off CORTADO_CUBLASLT=off node --import tsx "${watched[@]}" "--sanitize=$tool" &
  done
fi
wait
rest=$((end - SECONDS - 10))
[ "$rest" -gt 0 ] || rest=0
# Nine tenths of the rest, in minutes: what is under way then still has time to end.
minutes="$((rest * 9 / 600)).$((rest * 9 / 60 % 10))"
part bench "$rest" node --import tsx bench/gpu.ts --device "$device" --out "$results" --minutes "$minutes" "${@:3}"
! grep -q 'exit code [^0]' "$results/summary.txt"
