#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cudnn.h"

namespace cortado::cuda {

/// One of the things that cuDNN's graph interface is made of: attributes are set, then it is finalized, then it may be
/// an attribute of others. Freed with its owner.
class Descriptor {
 public:
  /// `subject`, for errors, is what all this is to compute; it outlives the descriptor.
  Descriptor(const Cudnn& cudnn, const std::string& subject, api::cudnnBackendDescriptorType_t type)
      : cudnn_(&cudnn), subject_(&subject) {
    check(cudnn.cudnnBackendCreateDescriptor(type, &handle_), "cudnnBackendCreateDescriptor");
  }
  ~Descriptor() {
    if (handle_) cudnn_->cudnnBackendDestroyDescriptor(handle_);
  }
  Descriptor(Descriptor&& other) noexcept
      : cudnn_(other.cudnn_), subject_(other.subject_), handle_(std::exchange(other.handle_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(cudnn_, other.cudnn_);
    std::swap(subject_, other.subject_);
    std::swap(handle_, other.handle_);
    return *this;
  }

  api::cudnnBackendDescriptor_t handle() const { return handle_; }

  template <class T>
  Descriptor& set(api::cudnnBackendAttributeName_t name, const T* values, size_t count) {
    check(cudnn_->cudnnBackendSetAttribute(handle_, name, type_of(T()), static_cast<int64_t>(count), values),
          "cudnnBackendSetAttribute");
    return *this;
  }
  template <class T>
  Descriptor& set(api::cudnnBackendAttributeName_t name, const T& value) {
    return set(name, &value, 1);
  }
  template <class T>
  Descriptor& set(api::cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    return set(name, values.data(), values.size());
  }
  Descriptor& set(api::cudnnBackendAttributeName_t name, const Descriptor& value) { return set(name, value.handle_); }
  /// Whether the text is taken: it may come from another version of cuDNN.
  bool try_set(api::cudnnBackendAttributeName_t name, const std::string& text) {
    return cudnn_->cudnnBackendSetAttribute(handle_, name, api::CUDNN_TYPE_CHAR, static_cast<int64_t>(text.size()),
                                            text.data()) == api::CUDNN_STATUS_SUCCESS;
  }
  Descriptor& finalize() {
    check(cudnn_->cudnnBackendFinalize(handle_), "cudnnBackendFinalize");
    return *this;
  }
  /// Whether it can be: an engine may decline what a heuristic thought of it.
  bool try_finalize() { return cudnn_->cudnnBackendFinalize(handle_) == api::CUDNN_STATUS_SUCCESS; }

  /// At most `count` values go to `values`; returns how many there are.
  template <class T>
  size_t get(api::cudnnBackendAttributeName_t name, T* values, size_t count) const {
    int64_t found = 0;
    check(cudnn_->cudnnBackendGetAttribute(handle_, name, type_of(T()), static_cast<int64_t>(count), &found, values),
          "cudnnBackendGetAttribute");
    return static_cast<size_t>(found);
  }
  template <class T>
  T get(api::cudnnBackendAttributeName_t name) const {
    T value{};
    get(name, &value, 1);
    return value;
  }

 private:
  void check(api::cudnnStatus_t status, const char* call) const { cudnn_->check(status, *subject_, call); }

  static api::cudnnBackendAttributeType_t type_of(api::cudnnHandle_t) { return api::CUDNN_TYPE_HANDLE; }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnDataType_t) { return api::CUDNN_TYPE_DATA_TYPE; }
  static api::cudnnBackendAttributeType_t type_of(bool) { return api::CUDNN_TYPE_BOOLEAN; }
  static api::cudnnBackendAttributeType_t type_of(int64_t) { return api::CUDNN_TYPE_INT64; }
  static api::cudnnBackendAttributeType_t type_of(float) { return api::CUDNN_TYPE_FLOAT; }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnBackendDescriptor_t) {
    return api::CUDNN_TYPE_BACKEND_DESCRIPTOR;
  }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnConvolutionMode_t) {
    return api::CUDNN_TYPE_CONVOLUTION_MODE;
  }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnBackendHeurMode_t) { return api::CUDNN_TYPE_HEUR_MODE; }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnBackendNumericalNote_t) {
    return api::CUDNN_TYPE_NUMERICAL_NOTE;
  }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnPointwiseMode_t) { return api::CUDNN_TYPE_POINTWISE_MODE; }
  static api::cudnnBackendAttributeType_t type_of(api::cudnnBackendBehaviorNote_t) {
    return api::CUDNN_TYPE_BEHAVIOR_NOTE;
  }
  static api::cudnnBackendAttributeType_t type_of(char) { return api::CUDNN_TYPE_CHAR; }
  static api::cudnnBackendAttributeType_t type_of(const void*) { return api::CUDNN_TYPE_VOID_PTR; }

  const Cudnn* cudnn_;
  const std::string* subject_;
  api::cudnnBackendDescriptor_t handle_ = nullptr;
};

}  // namespace cortado::cuda
