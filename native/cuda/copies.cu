#include "copies.h"

#include "together.h"

namespace cortado::cuda {

namespace {

/// Sixteen bytes.
struct alignas(16) Quad {
  uint32_t word[4];
};

template <class T>
struct CopyOf {
  const T* from;
  T* to;
  __device__ void operator()(int64_t i) const { to[i] = from[i]; }
};

/// Of whole words, where they belong.
bool is_small(const ResultCopy& copy) {
  constexpr size_t kMost = 1024, kWord = sizeof(uint32_t);
  return copy.bytes <= kMost && copy.bytes % kWord == 0 && reinterpret_cast<uintptr_t>(copy.to) % kWord == 0;
}

}  // namespace

void copy_results(const std::vector<ResultCopy>& copies, cudaStream_t stream) {
  Together<CopyOf<uint32_t>> small{};
  const auto start = [&] {
    if (small.count > 0) for_each({stream, nullptr, nullptr}, small.size(), small);
    small.count = 0;
  };
  for (const ResultCopy& copy : copies) {
    if (!is_small(copy)) {
      check(cudaMemcpyAsync(copy.to, copy.from, copy.bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
      continue;
    }
    if (small.count == small.kMost) start();
    small.add({static_cast<const uint32_t*>(copy.from), reinterpret_cast<uint32_t*>(copy.to)},
              static_cast<int64_t>(copy.bytes / sizeof(uint32_t)));
  }
  start();
}

void copy_within(uint8_t* to, const uint8_t* from, size_t bytes, cudaStream_t stream) {
  const auto whole = [](auto number) { return number % sizeof(Quad) == 0; };
  if (whole(bytes) && whole(reinterpret_cast<uintptr_t>(to)) && whole(reinterpret_cast<uintptr_t>(from))) {
    const CopyOf<Quad> copy{reinterpret_cast<const Quad*>(from), reinterpret_cast<Quad*>(to)};
    return for_each({stream, nullptr, nullptr}, static_cast<int64_t>(bytes / sizeof(Quad)), copy);
  }
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
}

}  // namespace cortado::cuda
