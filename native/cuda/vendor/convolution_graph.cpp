#include "convolution_graph.h"

namespace cortado::cuda {

using namespace api;

namespace {

/// The attributes of one of the three operations.
struct Operation {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t image, weight, features, convolution, alpha, beta;
};

Operation operation_of(Pass pass) {
  switch (pass) {
    case Pass::features:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
    case Pass::image:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
    case Pass::weight:
      break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
}

}  // namespace

ConvolutionGraph::ConvolutionGraph(const Cudnn& cudnn, const std::string& subject, const ConvolutionShape& shape,
                                   cudnnHandle_t handle)
    : cudnn_(cudnn), subject_(subject), shape_(shape) {
  const ConvolutionShape& s = shape;
  const std::vector<int64_t> planes = {s.images, s.groups * s.filters, s.height.features, s.width.features};
  const size_t image = tensor(kImage, {s.images, s.groups * s.channels, s.height.image, s.width.image}, false);
  const size_t weight = tensor(kWeight, {s.groups * s.filters, s.channels, s.height.taps, s.width.taps}, false);
  int64_t intermediate = kFeatures;
  size_t features = tensor(s.bias || s.relu ? ++intermediate : kFeatures, planes, s.bias || s.relu);
  const Operation names = operation_of(s.pass);
  const size_t description = convolution(), multiply = add(names.type);
  parts_[multiply]
      .set(names.image, parts_[image])
      .set(names.weight, parts_[weight])
      .set(names.features, parts_[features])
      .set(names.convolution, parts_[description])
      .set(names.alpha, 1.0f)
      .set(names.beta, 0.0f)
      .finalize();
  std::vector<cudnnBackendDescriptor_t> operations = {parts_[multiply].handle()};
  const auto then = [&](cudnnPointwiseMode_t mode, const size_t* bias, bool last) {
    const size_t y = tensor(last ? kFeatures : ++intermediate, planes, !last);
    operations.push_back(parts_[pointwise(mode, features, bias, y)].handle());
    features = y;
  };
  if (s.bias) {
    const size_t bias = tensor(kBias, {1, planes[1], 1, 1}, false);
    then(CUDNN_POINTWISE_ADD, &bias, !s.relu);
  }
  if (s.relu) then(CUDNN_POINTWISE_RELU_FWD, nullptr, true);
  Descriptor& graph = parts_[add(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)];
  if (handle) graph.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  graph.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations).finalize();
}

size_t ConvolutionGraph::add(cudnnBackendDescriptorType_t type) {
  parts_.emplace_back(cudnn_, subject_, type);
  return parts_.size() - 1;
}

/// Intermediate results, which exist only on their way, are float32.
size_t ConvolutionGraph::tensor(int64_t id, const std::vector<int64_t>& extents, bool intermediate) {
  const int64_t c = extents[1], h = extents[2], w = extents[3];
  const std::vector<int64_t> strides =
      shape_.last() ? std::vector<int64_t>{c * h * w, 1, w * c, c} : std::vector<int64_t>{c * h * w, h * w, w, 1};
  const size_t index = add(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  parts_[index]
      .set(CUDNN_ATTR_TENSOR_DATA_TYPE, intermediate ? CUDNN_DATA_FLOAT : shape_.type())
      .set(CUDNN_ATTR_TENSOR_DIMENSIONS, extents)
      .set(CUDNN_ATTR_TENSOR_STRIDES, strides)
      .set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
      .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
      .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, intermediate)
      .finalize();
  return index;
}

size_t ConvolutionGraph::convolution() {
  const ConvolutionShape::Axis &h = shape_.height, &w = shape_.width;
  const std::vector<int64_t> pads = {h.pad, w.pad};
  const size_t index = add(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  parts_[index]
      .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
      .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
      .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
      .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, pads)
      .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, pads)
      .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, std::vector<int64_t>{h.dilation, w.dilation})
      .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, std::vector<int64_t>{h.stride, w.stride})
      .finalize();
  return index;
}

size_t ConvolutionGraph::pointwise(cudnnPointwiseMode_t mode, size_t x, const size_t* bias, size_t y) {
  const size_t function = add(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  parts_[function]
      .set(CUDNN_ATTR_POINTWISE_MODE, mode)
      .set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)
      .finalize();
  const size_t index = add(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
  Descriptor& operation = parts_[index];
  operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, parts_[function])
      .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, parts_[x])
      .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, parts_[y]);
  if (bias) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, parts_[*bias]);
  operation.finalize();
  return index;
}

}  // namespace cortado::cuda
