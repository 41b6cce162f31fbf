// The product of one row, as of a single picture at a time: bound by reading the weights once, which needs no tensor
// core and is over before a library has brought its result to the type that it is stored in.
#pragma once

#include "bias.h"
#include "packs.h"

namespace cortado::cuda {

/// Whether a weight of that depth can be read in whole accesses.
inline bool fits_row_product(int64_t rows, int64_t depth) { return rows == 1 && depth % kLanes == 0; }

/// to (units) = epilogue(weight (units, depth) row (depth)).
void multiply_row(const Launch& launch, const Tensor& row, const Tensor& weight, const Tensor& to, int64_t units,
                  int64_t depth, const Epilogue& epilogue);

}  // namespace cortado::cuda
