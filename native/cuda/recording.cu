#include "recording.h"

#include "../core/error.h"
#include "launch.h"
#include "runtime/ranges.h"

namespace cortado::cuda {

namespace {

/// halt = whether one of some flags is raised; `more`: or it was 1 already.
struct Latch {
  static constexpr int kMost = kBlock;
  const int32_t* flag[kMost];
  int count;
  bool more;
  int32_t* halt;

  __device__ void operator()(int64_t) const {
    const int own = static_cast<int>(threadIdx.x);
    const int32_t raised = over_block(int32_t{own < count && *flag[own] != 0}, Add());
    if (own == 0) *halt = raised > 0 || (more && *halt != 0);
  }
};

void latch(const Plan& plan, cudaStream_t stream, int32_t* halt) {
  const std::vector<const int32_t*>& guards = plan.guards();
  size_t first = 0;
  do {
    Latch some{{}, 0, first > 0, halt};
    for (; first < guards.size() && some.count < Latch::kMost; ++first) some.flag[some.count++] = guards[first];
    for_blocks({stream, nullptr, nullptr}, 1, some);
  } while (first < guards.size());
}

}  // namespace

GraphRecording::GraphRecording(const Plan& plan) : halt_(plan.device().allocate(sizeof(int32_t))) {
  const OwnedStream stream = make_stream();
  OwnedGraph graph;
  // Relaxed: a library may load its kernels when it is first called, which the other modes take for an error.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  try {
    launch(plan, stream);
  } catch (...) {
    cudaStreamEndCapture(stream, graph.place());
    throw;
  }
  check(cudaStreamEndCapture(stream, graph.place()), "cudaStreamEndCapture");
  check(cudaGraphInstantiate(graph_.place(), graph, 0), "cudaGraphInstantiate");
}

void GraphRecording::launch(const Plan& plan, cudaStream_t stream, const std::vector<OwnedEvent>& marks) const {
  const std::vector<PreparedStep>& steps = plan.steps();
  size_t marked = 0;
  const auto mark_to = [&](size_t end) {
    for (; marked < marks.size() && marked <= end; ++marked)
      check(cudaEventRecord(marks[marked], stream), "cudaEventRecord");
  };
  mark_to(0);
  for (size_t first = 0, last = 0; first < steps.size(); first = last) {
    const auto together = steps[first].kernel->run_together;
    do ++last;
    while (together && last < steps.size() && steps[last].kernel->run_together == together &&
           static_cast<int>(last) != plan.commit());
    start(plan, stream, first, last);
    mark_to(last);
  }
}

void GraphRecording::replay(cudaStream_t stream) const { check(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch"); }

void GraphRecording::start(const Plan& plan, cudaStream_t stream, size_t first, size_t last) const {
  auto* halt = reinterpret_cast<int32_t*>(halt_->data());
  const auto index = static_cast<int>(first);
  const PreparedStep& step = plan.steps()[first];
  if (index == plan.commit()) latch(plan, stream, halt);
  const Launch launch{stream, plan.scratch(), index >= plan.commit() ? halt : nullptr};
  const bool together = last - first > 1;
  const Range range(together ? step.kernel->name : step.label.c_str());
  try {
    if (!together) return step.run(&launch);
    std::vector<const void*> all;
    for (size_t i = first; i < last; ++i) all.push_back(plan.steps()[i].state.get());
    step.kernel->run_together(all.data(), static_cast<int>(all.size()), &launch);
  } catch (const Error& error) {
    fail(error.code, "%s: kernel %s: %s", step.label.c_str(), step.kernel->name, error.message);
  }
}

}  // namespace cortado::cuda
