// Part of sanitized builds of the simulated GPU only. CORTADO_PLANT_FAULT=kernel-write|kernel-barrier|kernel-leak makes
// it commit that fault when it is loaded: the proof that a test run would see such a fault in a kernel.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../../native/cuda/launch.h"
#include "../../native/cuda/runtime/owned.h"
#include "../../native/cuda/sim/fibers.h"

namespace {

using namespace cortado::cuda;

/// Writes one number past the end of the GPU's memory.
struct WriteBeyond {
  int* data;
  int64_t n;
  __device__ void operator()(int64_t) const { data[n] = 1; }
};

/// Reads its neighbour's number without waiting for it.
struct NoBarrier {
  int* data;
  __device__ void operator()(int64_t) const {
    __shared__ int numbers[kBlock];
    numbers[threadIdx.x] = static_cast<int>(threadIdx.x);
    data[threadIdx.x] = numbers[kBlock - 1 - threadIdx.x];
  }
};

template <class F>
void run(const F& kernel) {
  const OwnedStream stream = make_stream();
  for_blocks({stream, nullptr, nullptr}, 1, kernel);
  cudaStreamSynchronize(stream);
}

/// What the kernel gives must not depend on the order of its threads.
void compare_orders(int* data) {
  int first[kBlock];
  for (const auto order : {cortado::sim::Order::forward, cortado::sim::Order::reverse}) {
    cortado::sim::order() = order;
    run(NoBarrier{data});
    if (order == cortado::sim::Order::forward) std::copy(data, data + kBlock, first);
  }
  if (std::equal(data, data + kBlock, first)) return;
  std::fprintf(stderr, "the order of a block's threads changes the result: a barrier is missing\n");
  std::exit(67);
}

[[maybe_unused]] const bool planted = [] {
  const char* wish = std::getenv("CORTADO_PLANT_FAULT");
  if (wish == nullptr || std::string_view(wish).substr(0, 6) != "kernel") return false;
  const std::string_view fault = wish;
  void* data = nullptr;
  cudaMalloc(&data, kBlock * sizeof(int));
  if (fault == "kernel-write") run(WriteBeyond{static_cast<int*>(data), kBlock});
  if (fault == "kernel-barrier") compare_orders(static_cast<int*>(data));
  if (fault != "kernel-leak") cudaFree(data);
  return true;
}();

}  // namespace
