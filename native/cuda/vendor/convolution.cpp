#include "convolution.h"

#include <algorithm>
#include <memory>
#include <sstream>

namespace cortado::cuda {

using namespace api;

namespace {

/// What an engine says of itself.
struct Notes {
  std::vector<cudnnBackendNumericalNote_t> numerical;
  std::vector<cudnnBackendBehaviorNote_t> behavior;

  explicit Notes(const Descriptor& engine) : numerical(kMost), behavior(kMost) {
    numerical.resize(engine.get(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, numerical.data(), kMost));
    behavior.resize(engine.get(CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, behavior.data(), kMost));
  }

  bool allow(const ConvolutionShape& shape) const {
    if (has(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC) || has(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION))
      return false;
    // Winograd's largest tiles lose digits: a thousandth in float32.
    if (has(CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13)) return false;
    if (has(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)) return false;
    // Tensor cores round float32 to TF32.
    return shape.precision != Precision::f32 || !has(CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  }
  /// Compiled when a plan is made, by a library that need not be there, in seconds.
  bool compiled_late() const {
    return std::find(behavior.begin(), behavior.end(), CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION) != behavior.end();
  }

 private:
  static constexpr size_t kMost = 32;
  bool has(cudnnBackendNumericalNote_t note) const {
    return std::find(numerical.begin(), numerical.end(), note) != numerical.end();
  }
};

/// Engines with their settings that a heuristic thinks of, best first.
std::vector<Descriptor> ask(const Cudnn& cudnn, const std::string& subject, const Target& target,
                            const ConvolutionGraph& graph, cudnnBackendHeurMode_t mode) {
  Descriptor heuristic(cudnn, subject, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristic.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph.operations()).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.described) heuristic.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.described);
  if (!heuristic.try_finalize()) return {};
  std::vector<Descriptor> configurations;
  std::vector<cudnnBackendDescriptor_t> handles;
  const size_t count = heuristic.get<cudnnBackendDescriptor_t>(CUDNN_ATTR_ENGINEHEUR_RESULTS, nullptr, 0);
  for (size_t i = 0; i < count; ++i) {
    configurations.emplace_back(cudnn, subject, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    handles.push_back(configurations.back().handle());
  }
  const size_t found = heuristic.get(CUDNN_ATTR_ENGINEHEUR_RESULTS, handles.data(), count);
  configurations.erase(configurations.begin() + static_cast<std::ptrdiff_t>(std::min(found, count)),
                       configurations.end());
  return configurations;
}

/// The engine of a configuration.
Descriptor engine_of(const Cudnn& cudnn, const std::string& subject, const Descriptor& configuration) {
  Descriptor engine(cudnn, subject, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  cudnnBackendDescriptor_t handle = engine.handle();
  configuration.get(CUDNN_ATTR_ENGINECFG_ENGINE, &handle, 1);
  return engine;
}

}  // namespace

Convolution::Convolution(std::shared_ptr<const std::string> subject, std::optional<Descriptor> engine, Descriptor plan,
                         bool bias)
    : subject_(std::move(subject)),
      engine_(std::move(engine)),
      plan_(std::move(plan)),
      bias_(bias),
      workspace_(static_cast<size_t>(plan_.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))) {}

std::vector<Convolution> Convolution::candidates(const Cudnn& cudnn, const Target& target,
                                                 const ConvolutionShape& shape, size_t most) {
  const auto subject = std::make_shared<const std::string>(shape.text());
  const ConvolutionGraph graph(cudnn, *subject, shape, target.handle);
  std::vector<Descriptor> now, late;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (Descriptor& configuration : ask(cudnn, *subject, target, graph, mode)) {
      const Notes notes(engine_of(cudnn, *subject, configuration));
      if (notes.allow(shape)) (notes.compiled_late() ? late : now).push_back(std::move(configuration));
    }
  }
  std::vector<Convolution> plans;
  const auto make = [&](Descriptor& configuration) {
    Descriptor plan(cudnn, *subject, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
    if (target.described) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *target.described);
    if (!plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration).try_finalize()) return;
    if (plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE) > kMostWorkspace) return;
    plans.push_back(Convolution(subject, std::move(configuration), std::move(plan), shape.bias));
  };
  for (size_t i = 0; i < now.size() && plans.size() < most; ++i) make(now[i]);
  const size_t compiled = std::min(most, plans.size() + kMostCompiled);
  for (size_t i = 0; i < late.size() && plans.size() < compiled; ++i) make(late[i]);
  return plans;
}

std::optional<Convolution> Convolution::restore(const Cudnn& cudnn, const Target& target, const ConvolutionShape& shape,
                                                const std::string& description) {
  auto subject = std::make_shared<const std::string>(shape.text());
  Descriptor plan(cudnn, *subject, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
  if (!plan.try_set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, description) || !plan.try_finalize())
    return std::nullopt;
  return Convolution(std::move(subject), std::nullopt, std::move(plan), shape.bias);
}

std::string Convolution::describe() const {
  std::string text(plan_.get<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, nullptr, 0), '\0');
  text.resize(plan_.get(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, text.data(), text.size()));
  return text;
}

void Convolution::run(const Cudnn& cudnn, cudnnHandle_t handle, cudaStream_t stream,
                      const ConvolutionTensors& t) const {
  std::vector<int64_t> ids = {kImage, kWeight, kFeatures};
  std::vector<const void*> pointers = {t.image, t.weight, t.features};
  if (bias_) {
    ids.push_back(kBias);
    pointers.push_back(t.bias);
  }
  Descriptor pack(cudnn, *subject_, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids)
      .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
      .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, static_cast<const void*>(t.workspace))
      .finalize();
  cudnn.check(cudnn.cudnnSetStream(handle, stream), *subject_, "cudnnSetStream");
  cudnn.check(cudnn.cudnnBackendExecute(handle, plan_.handle(), pack.handle()), *subject_, "cudnnBackendExecute");
}

std::string ConvolutionShape::text() const {
  static constexpr const char* kPasses[] = {"conv2d", "conv2d_dgrad", "conv2d_wgrad"};
  static constexpr const char* kPrecisions[] = {"float32", "tf32", "bfloat16", "float16"};
  std::ostringstream out;
  const auto list = [&out](const char* what, std::initializer_list<int64_t> values) {
    const char* before = " (";
    out << what;
    for (const int64_t value : values) {
      out << before << value;
      before = ", ";
    }
    out << ')';
  };
  const Axis &h = height, &w = width;
  out << kPasses[static_cast<int>(pass)] << " in " << kPrecisions[static_cast<int>(precision)]
      << (bias ? " + bias" : "") << (relu ? " + ReLU" : "");
  list(" of images", {images, groups * channels, h.image, w.image});
  list(" with filters", {groups * filters, channels, h.taps, w.taps});
  list(", stride", {h.stride, w.stride});
  list(", pad", {h.pad, w.pad});
  list(", dilation", {h.dilation, w.dilation});
  out << ", groups " << groups << (last() ? ", channels last" : "");
  return out.str();
}

}  // namespace cortado::cuda
