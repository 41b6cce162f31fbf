#include "stopwatch.h"

#include <algorithm>
#include <random>

#include "../../core/error.h"

namespace cortado::cuda {

namespace {

/// Random bits of which every 16 make a number from 2^-7 to 2 in float32 and bfloat16, and from 1 to 2 in float16, of
/// either sign: chips are faster on numbers that are all the same, and rounding does not show on them.
std::vector<uint16_t> ordinary_numbers() {
  std::vector<uint16_t> numbers(size_t{1} << 19);
  std::mt19937 random;
  for (uint16_t& number : numbers) number = static_cast<uint16_t>((random() & 0x83ff) | 0x3c00);
  return numbers;
}

/// What lies in `bytes` bytes at `to`, copied over and over until they fill `size`.
void repeat(uint8_t* to, size_t bytes, size_t size, cudaStream_t stream) {
  for (; bytes < size; bytes *= 2) {
    check(cudaMemcpyAsync(to + bytes, to, std::min(bytes, size - bytes), cudaMemcpyDeviceToDevice, stream),
          "cudaMemcpyAsync");
  }
}

}  // namespace

Stopwatch::Stopwatch(const std::vector<size_t>& bytes)
    : stream_(make_stream()), begun_(make_event(cudaEventDefault)), ended_(make_event(cudaEventDefault)) {
  const std::vector<uint16_t> numbers = ordinary_numbers();
  for (const size_t size : bytes) {
    Block& block = buffers_.emplace_back();
    if (size == 0) continue;
    block = Block(size);
    const size_t first = std::min(size, numbers.size() * sizeof numbers[0]);
    check(cudaMemcpyAsync(block.data(), numbers.data(), first, cudaMemcpyHostToDevice, stream_), "cudaMemcpyAsync");
    repeat(static_cast<uint8_t*>(block.data()), first, size, stream_);
  }
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
}

bool Stopwatch::run(const Work& work) const {
  check(cudaEventRecord(begun_, stream_), "cudaEventRecord");
  try {
    work(stream_);
  } catch (const Error&) {
    return false;
  }
  check(cudaEventRecord(ended_, stream_), "cudaEventRecord");
  check(cudaEventSynchronize(ended_), "cudaEventSynchronize");
  return true;
}

std::optional<float> Stopwatch::time(const Work& work, std::optional<float> best) const {
  std::optional<float> least;
  for (int i = 0; i <= kRuns; ++i) {
    if (!run(work)) return std::nullopt;
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begun_, ended_), "cudaEventElapsedTime");
    if (i > 0 || (best && milliseconds > kHopeless * *best)) {
      least = std::min(least.value_or(milliseconds), milliseconds);
      if (best && *least > kFar * *best) break;
    }
  }
  return least;
}

std::optional<std::vector<float>> Stopwatch::result(const Work& work, size_t index, size_t count) const {
  if (!run(work)) return std::nullopt;
  std::vector<float> numbers(count);
  check(cudaMemcpyAsync(numbers.data(), buffer(index), count * sizeof(float), cudaMemcpyDeviceToHost, stream_),
        "cudaMemcpyAsync");
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  return numbers;
}

}  // namespace cortado::cuda
