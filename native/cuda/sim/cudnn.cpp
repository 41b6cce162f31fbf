// cuDNN's calls: what cudnn_api.h declares, for convolutions. A descriptor is its attributes, as they were set. Plans
// want memory to work in, and spoil it.
#include <stdio.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "answers.h"
#include "cudnn_convolution.h"
#include "cudnn_handle.h"

namespace cortado::cuda::api {

/// A descriptor refers to what others were when they became its attributes.
struct cudnnBackendDescriptor {
  struct State;
  std::shared_ptr<State> state;
};

struct cudnnBackendDescriptor::State {
  struct Attribute {
    cudnnBackendAttributeType_t type;
    std::vector<char> bytes;
    std::vector<std::shared_ptr<State>> descriptors;
  };
  cudnnBackendDescriptorType_t type;
  bool final = false;
  std::map<int, Attribute> attributes;
  int64_t engine = 0;
  cortado::sim::SimulatedConvolution plan;

  bool has(cudnnBackendAttributeName_t name) const { return attributes.contains(name); }
  template <class T>
  const T* values(cudnnBackendAttributeName_t name) const {
    return reinterpret_cast<const T*>(attributes.at(name).bytes.data());
  }
  const State& child(cudnnBackendAttributeName_t name) const { return *attributes.at(name).descriptors.at(0); }
};

}  // namespace cortado::cuda::api

using namespace cortado::cuda::api;
using namespace cortado::sim;
using State = cudnnBackendDescriptor::State;

namespace {

constexpr int64_t kWorkspace = 5000;
thread_local std::string last_error;

cudnnStatus_t failed(cudnnStatus_t status, const char* why) {
  last_error = why;
  return status;
}

size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
      return 1;
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
      return 8;
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
      return sizeof(cudnnBackendDescriptor_t);
    default:
      return 4;
  }
}

void copy_extents(const State& tensor, int64_t (&to)[4]) {
  memcpy(to, tensor.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS), sizeof to);
}

/// Where the three operations have their tensors.
struct Names {
  cudnnBackendAttributeName_t image, weight, features, convolution;
};
Names names_of(const State& operation) {
  switch (operation.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC};
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC};
    default:
      return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC};
  }
}

/// Reads the graph: a convolution, then perhaps a bias, then perhaps a ReLU.
SimulatedConvolution convolution_of(const State& graph) {
  const auto& operations = graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).descriptors;
  const State& operation = *operations.at(0);
  const Names names = names_of(operation);
  SimulatedConvolution s;
  s.operation = operation.type;
  const State& image = operation.child(names.image);
  s.type = *image.values<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  s.last = image.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES)[1] == 1;
  copy_extents(image, s.image);
  copy_extents(operation.child(names.weight), s.weight);
  copy_extents(operation.child(names.features), s.features);
  const State& geometry = operation.child(names.convolution);
  memcpy(s.stride, geometry.values<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES), sizeof s.stride);
  memcpy(s.pad, geometry.values<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS), sizeof s.pad);
  memcpy(s.dilation, geometry.values<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS), sizeof s.dilation);
  for (size_t i = 1; i < operations.size(); ++i) {
    const State& function = operations[i]->child(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
    const auto mode = *function.values<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
    (mode == CUDNN_POINTWISE_ADD ? s.bias : s.relu) = 1;
  }
  return s;
}

/// Engines of a heuristic: not all convolutions have one, as with the real library.
std::vector<int64_t> engines_of(const State& heuristic) {
  const auto s = convolution_of(heuristic.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
  const bool dilated = s.dilation[0] > 1 || s.dilation[1] > 1;
  if (s.groups() > 1 && (dilated || s.bias || s.relu)) return {};
  const auto mode = *heuristic.values<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
  const bool wgrad = s.operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
  if (mode == CUDNN_HEUR_MODE_FALLBACK && wgrad) return {kUndeclared, kPlain};
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {kPlain};
  return {kCareless, kCompiledLate, kTensorCores};
}

cudnnStatus_t finalize(State& state) {
  if (state.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
    if (const char* fault = convolution_of(state).fault()) return failed(CUDNN_STATUS_BAD_PARAM, fault);
  }
  if (state.type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR) {
    if (state.has(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)) {
      const std::vector<char>& text = state.attributes.at(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION).bytes;
      if (!state.plan.parse({text.begin(), text.end()}))
        return failed(CUDNN_STATUS_BAD_PARAM, "no plan of this version");
    } else {
      const State& configuration = state.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
      if (configuration.engine == kCompiledLate) return failed(CUDNN_STATUS_NOT_SUPPORTED, "no compiler");
      state.plan = convolution_of(configuration.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
      state.plan.engine = configuration.engine;
    }
  }
  state.final = true;
  return CUDNN_STATUS_SUCCESS;
}

template <class T>
void give(const std::vector<T>& all, int64_t wanted, int64_t* found, void* to) {
  *found = static_cast<int64_t>(all.size());
  if (wanted > 0) std::copy_n(all.begin(), std::min(all.size(), static_cast<size_t>(wanted)), static_cast<T*>(to));
}

std::vector<cudnnBackendNumericalNote_t> numerical_notes(int64_t engine) {
  if (engine == kCareless) return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
  if (engine == kTensorCores) return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
  return {};
}

/// Fills the descriptors that the caller has made for results.
cudnnStatus_t give_engines(const State& heuristic, int64_t wanted, int64_t* found, void* to) {
  const std::vector<int64_t> engines = engines_of(heuristic);
  *found = static_cast<int64_t>(engines.size());
  auto* const places = static_cast<cudnnBackendDescriptor_t*>(to);
  for (int64_t i = 0; i < std::min(wanted, *found); ++i) {
    State& configuration = *places[i]->state;
    configuration.engine = engines[static_cast<size_t>(i)];
    configuration.attributes[CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH] =
        heuristic.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
  }
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

CORTADO_SIMULATED size_t cudnnGetVersion() {
  const int planted = cortado::sim::planted(__func__);
  return planted ? static_cast<size_t>(planted) : 92400;
}
CORTADO_SIMULATED const char* cudnnGetErrorString(cudnnStatus_t status) {
  const int kind = status / 1000;
  return kind == 2   ? "CUDNN_STATUS_BAD_PARAM"
         : kind == 3 ? "CUDNN_STATUS_NOT_SUPPORTED"
         : kind == 5 ? "CUDNN_STATUS_EXECUTION_FAILED"
                     : "CUDNN_STATUS_INTERNAL_ERROR";
}
CORTADO_SIMULATED void cudnnGetLastErrorString(char* text, size_t bytes) {
  snprintf(text, bytes, "%s", last_error.c_str());
  last_error.clear();
}
CORTADO_SIMULATED cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

CORTADO_SIMULATED cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                                             cudnnBackendDescriptor_t* descriptor) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  *descriptor = new cudnnBackendDescriptor{std::make_shared<State>()};
  (*descriptor)->state->type = type;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete descriptor;
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  if (!waited(__func__)) return failed(CUDNN_STATUS_INTERNAL_ERROR, "nobody lets it go on");
  return finalize(*descriptor->state);
}
CORTADO_SIMULATED cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                                         cudnnBackendAttributeName_t name,
                                                         cudnnBackendAttributeType_t type, int64_t count,
                                                         const void* values) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  if (descriptor->state->final) return failed(CUDNN_STATUS_BAD_PARAM, "finalized already");
  State::Attribute& attribute = descriptor->state->attributes[name];
  attribute.type = type;
  const auto* const bytes = static_cast<const char*>(values);
  attribute.bytes.assign(bytes, bytes + static_cast<size_t>(count) * size_of(type));
  attribute.descriptors.clear();
  if (type != CUDNN_TYPE_BACKEND_DESCRIPTOR) return CUDNN_STATUS_SUCCESS;
  for (int64_t i = 0; i < count; ++i)
    attribute.descriptors.push_back(static_cast<const cudnnBackendDescriptor_t*>(values)[i]->state);
  return CUDNN_STATUS_SUCCESS;
}
CORTADO_SIMULATED cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor,
                                                         cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t,
                                                         int64_t wanted, int64_t* found, void* to) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  const State& state = *descriptor->state;
  switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
      return give_engines(state, wanted, found, to);
    case CUDNN_ATTR_ENGINECFG_ENGINE:
      (*static_cast<cudnnBackendDescriptor_t*>(to))->state->engine = state.engine;
      break;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
      give(numerical_notes(state.engine), wanted, found, to);
      break;
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
      give(state.engine == kCompiledLate ? std::vector{CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION}
                                         : std::vector<cudnnBackendBehaviorNote_t>{},
           wanted, found, to);
      break;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
      give(std::vector<int64_t>{kWorkspace}, wanted, found, to);
      break;
    case CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION: {
      const std::string text = state.plan.text();
      give(std::vector<char>(text.begin(), text.end()), wanted, found, to);
      break;
    }
    default:
      return failed(CUDNN_STATUS_NOT_SUPPORTED, "not simulated");
  }
  return CUDNN_STATUS_SUCCESS;
}

CORTADO_SIMULATED cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                                    cudnnBackendDescriptor_t pack) {
  CORTADO_ANSWER_PLANTED(cudnnStatus_t);
  const State& pointers = *pack->state;
  if (!plan->state->final || !pointers.final) return failed(CUDNN_STATUS_BAD_PARAM, "not finalized");
  void* by_id[5] = {};
  const auto* const ids = pointers.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const size_t count = pointers.attributes.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).bytes.size() / sizeof(int64_t);
  for (size_t i = 0; i < count; ++i) by_id[ids[i]] = pointers.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)[i];
  void* const workspace = *pointers.values<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (!workspace) return failed(CUDNN_STATUS_BAD_PARAM, "no memory to work in");
  enqueue(handle->stream, [convolution = plan->state->plan, image = by_id[1], weight = by_id[2], bias = by_id[3],
                           features = by_id[4], workspace] {
    spend(convolution.nanoseconds() * slowness("engine " + std::to_string(convolution.engine)) *
          (convolution.groups() > 1 ? slowness("groups") : 1));
    memset(workspace, 0xff, kWorkspace);
    convolution.run(image, weight, bias, features);
  });
  return CUDNN_STATUS_SUCCESS;
}
