#pragma once

// The engine's table of contents: X(kernel name, type), in parts that a device may compile one by one. Every device
// makes its table from CORTADO_KERNELS, so none can lack a kernel: a type that a device does not define is an error
// when it is compiled or linked.

/// Convolutions.
#define CORTADO_CONVOLUTION_KERNELS(X) \
  X(conv2d, Conv2d)                    \
  X(conv2d_dgrad, Conv2dDgrad)         \
  X(conv2d_wgrad, Conv2dWgrad)         \
  X(deconv2d, Deconv2d)                \
  X(deconv2d_dgrad, Deconv2dDgrad)     \
  X(deconv2d_wgrad, Deconv2dWgrad)

/// Inner products.
#define CORTADO_DENSE_KERNELS(X) \
  X(dense, Dense)                \
  X(dense_dgrad, DenseDgrad)     \
  X(dense_wgrad, DenseWgrad)

/// First values, the search for what is not finite, yardsticks.
#define CORTADO_FILL_KERNELS(X)  \
  X(non_finite, NonFinite)       \
  X(probe_copy, ProbeCopy)       \
  X(probe_flops, ProbeFlops)     \
  X(fill, Fill)                  \
  X(fill_uniform, FillUniform)   \
  X(fill_gaussian, FillGaussian) \
  X(fill_unitball, FillUnitball) \
  X(fill_bilinear, FillBilinear)

/// What ends a training step.
#define CORTADO_SOLVER_KERNELS(X)   \
  X(sgd, Update<SgdRule>)           \
  X(nesterov, Update<NesterovRule>) \
  X(adagrad, Update<AdagradRule>)   \
  X(rmsprop, Update<RmspropRule>)   \
  X(adadelta, Update<AdadeltaRule>) \
  X(adam, Update<AdamRule>)         \
  X(adamW, Update<AdamwRule>)       \
  X(squared_norm, SquaredNorm)      \
  X(clip_factor, ClipFactor)

/// Any number of tensors of one shape; dropout.
#define CORTADO_ELTWISE_KERNELS(X)      \
  X(sum, Sum)                           \
  X(eltwise_prod, EltwiseProd)          \
  X(eltwise_prod_grad, EltwiseProdGrad) \
  X(eltwise_max, EltwiseMax)            \
  X(eltwise_max_grad, EltwiseMaxGrad)   \
  X(dropout, Dropout)

/// Functions of one element.
#define CORTADO_ELEMENTWISE_KERNELS(X)      \
  X(relu, Elementwise<Relu>)                \
  X(relu_grad, Elementwise<ReluGrad>)       \
  X(sigmoid, Elementwise<Sigmoid>)          \
  X(sigmoid_grad, Elementwise<SigmoidGrad>) \
  X(tanh, Elementwise<Tanh>)                \
  X(tanh_grad, Elementwise<TanhGrad>)       \
  X(elu, Elementwise<Elu>)                  \
  X(elu_grad, Elementwise<EluGrad>)         \
  X(abs, Elementwise<Abs>)                  \
  X(abs_grad, Elementwise<AbsGrad>)         \
  X(exp, Elementwise<Exp>)                  \
  X(exp_grad, Elementwise<ExpGrad>)         \
  X(log, Elementwise<Log>)                  \
  X(log_grad, Elementwise<LogGrad>)         \
  X(power, Elementwise<Power>)              \
  X(power_grad, Elementwise<PowerGrad>)     \
  X(bnll, Elementwise<Bnll>)                \
  X(bnll_grad, Elementwise<BnllGrad>)       \
  X(swish, Elementwise<Swish>)              \
  X(swish_grad, Elementwise<SwishGrad>)     \
  X(clip, Elementwise<Clip>)                \
  X(clip_grad, Elementwise<ClipGrad>)       \
  X(threshold, Elementwise<Threshold>)

/// Elements moved, rows added up or named.
#define CORTADO_MOVEMENT_KERNELS(X) \
  X(concat, Concat)                 \
  X(slice, Slice)                   \
  X(tile, Repeat)                   \
  X(tile_grad, RepeatGrad)          \
  X(crop, Crop)                     \
  X(crop_grad, CropGrad)            \
  X(reduction, Reduction)           \
  X(reduction_grad, ReductionGrad)  \
  X(take_rows, TakeRows)            \
  X(take_rows_grad, TakeRowsGrad)

/// Numbers that lie along channels.
#define CORTADO_CHANNEL_KERNELS(X)              \
  X(batchNorm, BatchNorm)                       \
  X(batchNorm_grad, BatchNormGrad)              \
  X(batchNorm_global, BatchNormGlobal)          \
  X(batchNorm_global_grad, BatchNormGlobalGrad) \
  X(mvn, Mvn)                                   \
  X(mvn_grad, MvnGrad)                          \
  X(scale, Scale)                               \
  X(scale_wgrad, ScaleWgrad)                    \
  X(bias, Bias)                                 \
  X(prelu, Prelu)                               \
  X(prelu_grad, PreluGrad)

/// Local response normalisation.
#define CORTADO_LRN_KERNELS(X) \
  X(lrn, Lrn)                  \
  X(lrn_grad, LrnGrad)         \
  X(lrn_within, LrnWithin)     \
  X(lrn_within_grad, LrnWithinGrad)

/// Pooling.
#define CORTADO_POOL_KERNELS(X) \
  X(maxPool, MaxPool)           \
  X(maxPool_grad, MaxPoolGrad)  \
  X(averagePool, AveragePool)   \
  X(averagePool_grad, AveragePoolGrad)

/// Both in one pass.
#define CORTADO_LRN_POOL_KERNELS(X) \
  X(lrn_maxPool, LrnMaxPool)        \
  X(lrn_maxPool_grad, LrnMaxPoolGrad)

/// Scores of classes.
#define CORTADO_CLASS_KERNELS(X)       \
  X(accuracy, Accuracy)                \
  X(argmax, Argmax)                    \
  X(softmax, Softmax)                  \
  X(softmax_grad, SoftmaxGrad)         \
  X(softmaxLoss, SoftmaxLoss)          \
  X(softmaxLoss_grad, SoftmaxLossGrad) \
  X(infogainLoss, InfogainLoss)        \
  X(infogainLoss_grad, InfogainLossGrad)

/// Losses of elements and rows.
#define CORTADO_LOSS_KERNELS(X)                                \
  X(multinomialLoss, MultinomialLoss)                          \
  X(multinomialLoss_grad, MultinomialLossGrad)                 \
  X(euclideanLoss, EuclideanLoss)                              \
  X(euclideanLoss_grad, EuclideanLossGrad)                     \
  X(sigmoidCrossEntropyLoss, SigmoidCrossEntropyLoss)          \
  X(sigmoidCrossEntropyLoss_grad, SigmoidCrossEntropyLossGrad) \
  X(hingeLoss, HingeLoss)                                      \
  X(hingeLoss_grad, HingeLossGrad)                             \
  X(contrastiveLoss, ContrastiveLoss)                          \
  X(contrastiveLoss_grad, ContrastiveLossGrad)

#define CORTADO_KERNELS(X)   \
  CORTADO_PRODUCT_KERNELS(X) \
  CORTADO_OTHER_KERNELS(X)

#define CORTADO_PRODUCT_KERNELS(X) \
  CORTADO_CONVOLUTION_KERNELS(X)   \
  CORTADO_DENSE_KERNELS(X)

#define CORTADO_OTHER_KERNELS(X) \
  CORTADO_FILL_KERNELS(X)        \
  CORTADO_SOLVER_KERNELS(X)      \
  CORTADO_ELTWISE_KERNELS(X)     \
  CORTADO_ELEMENTWISE_KERNELS(X) \
  CORTADO_MOVEMENT_KERNELS(X)    \
  CORTADO_CHANNEL_KERNELS(X)     \
  CORTADO_LRN_KERNELS(X)         \
  CORTADO_POOL_KERNELS(X)        \
  CORTADO_LRN_POOL_KERNELS(X)    \
  CORTADO_CLASS_KERNELS(X)       \
  CORTADO_LOSS_KERNELS(X)
