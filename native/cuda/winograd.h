// Convolution of float32 and its gradients by Winograd's minimal filtering: the products at each point, of every group,
// are a batch of cuBLASLt's.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "../kernels/products.h"
#include "launch.h"
#include "vendor/vendor.h"
#include "winograd_tiles.h"

namespace cortado::cuda {

/// One way to do it: tiles of a size, and so many of them at a time.
class Winograd {
 public:
  static bool takes(const Conv2dShape& s) {
    const auto plain = [](const Extent& e) { return e.stride == 1 && e.dilation == 1 && e.pad < e.taps; };
    return plain(s.height) && plain(s.width) && s.height.taps == s.width.taps && s.height.taps >= 3 &&
           s.height.taps <= 5 && multiplications(s) >= kLeast && counted(s);
  }

  /// Ways that may be fast: as many tiles at a time as there is room for, and as many as the caches hold.
  static std::vector<Winograd> ways(Vendor& vendor, Pass pass, const Conv2dShape& s);

  std::string text() const {
    return "tiles of " + std::to_string(tile_) + ", " + std::to_string(tiles_.at_a_time()) + " at a time";
  }
  /// Scratch for run().
  size_t workspace() const { return room_.bytes + product_->workspace(); }

  /// On tensors of the sides that a convolution has, and in its workspace; of them it writes the one of the pass.
  void run(const Launch& launch, float* image, float* weight, float* features, const Epilogue& epilogue) const;

 private:
  /// kLeast: fewer multiplications are 2 us at 20 TFLOP/s, which the launches alone would take. kLongest: as many
  /// numbers are added up in one sum, since the longer it is, the more is lost to rounding. kWhole: what a product
  /// leaves to the next begins at a multiple. Small ones on the simulated GPU, so that tests meet them.
#if defined(CORTADO_CUDA_SIM)
  static constexpr double kLeast = 0;
  static constexpr int64_t kLongest = 16, kWhole = 1;
#else
  static constexpr double kLeast = 1 << 24;
  static constexpr int64_t kLongest = 256, kWhole = 16;
#endif
  static double multiplications(const Conv2dShape& s) {
    return static_cast<double>(s.images * s.groups * s.filters * s.pixels()) *
           static_cast<double>(s.channels * s.taps());
  }

  /// Whether an index of 32 bits counts to the numbers of either side, and a tile more for each of the other's pixels.
  /// It does to what is at the points: there is no room for more.
  static bool counted(const Conv2dShape& s) { return countable(s.images * (image(s).size() + features(s).size())); }

  /// No more than this to work in: all together, and of it for tiles at the points.
  static constexpr size_t kMostWorkspace = size_t{512} << 20, kMostRoom = size_t{400} << 20;

  Winograd(Vendor& vendor, Pass pass, const Conv2dShape& s, int64_t tile, const Tiles& tiles)
      : vendor_(&vendor),
        pass_(pass),
        s_(s),
        tile_(tile),
        tiles_(tiles),
        shape_(product()),
        product_(vendor.gemm(shape_)),
        room_(*this) {}

  /// Maps of either side, of which a pass makes one, or cuts both into tiles.
  static Maps image(const Conv2dShape& s) { return {s.groups * s.channels, s.height.image, s.width.image}; }
  static Maps features(const Conv2dShape& s) { return {s.groups * s.filters, s.height.features, s.width.features}; }
  Maps source() const { return pass_ == Pass::image ? features(s_) : image(s_); }
  Maps result() const { return pass_ == Pass::image ? image(s_) : features(s_); }

  /// As many tiles at a time as have room at the points; at least some.
  static Tiles tiles_of(Pass pass, const Conv2dShape& s, int64_t tile, size_t room) {
    const auto most = static_cast<int64_t>(room / sizeof(float)) / points_of(tile);
    const int64_t numbers = s.groups * (s.channels + s.filters);
    Tiles tiles(s.images, pass == Pass::image ? image(s) : features(s), tile + 1 - s.height.taps);
    tiles.divide(std::clamp(most / numbers, int64_t{4}, pass == Pass::weight ? kLongest : INT32_MAX));
    if (pass == Pass::weight) tiles.collect(std::max(most / (numbers * tiles.count + filters(s)), int64_t{1}));
    return tiles;
  }

  int64_t points() const { return points_of(tile_); }
  static int64_t filters(const Conv2dShape& s) { return s.groups * s.filters * s.channels; }
  int64_t filters() const { return filters(s_); }

  /// Row by row to us: result (filters, tiles) = weight (filters, channels) * source (channels, tiles) at every point,
  /// with the weight transposed for the image's gradient; for the weight's, (filters, channels) = features (filters,
  /// tiles) * source transposed, for each row of tiles. cuBLASLt has matrices column by column, and so the factors in
  /// the other order.
  GemmShape product() const {
    GemmShape shape{tiles_.count, s_.filters, s_.channels,    false,      false,
                    false,        false,      Precision::f32, DType::f32, DType::f32};
    shape.batch = points() * tiles_.rows * s_.groups;
    if (pass_ == Pass::image) {
      std::swap(shape.columns, shape.depth);
      shape.transpose_b = true;
    } else if (pass_ == Pass::weight) {
      std::swap(shape.rows, shape.depth);
      shape.transpose_a = true;
    }
    shape.parts = short_parts(shape.depth);
    shape.depth /= shape.parts;
    return shape;
  }
  /// In how many equal parts a sum is short; one where there are no such parts of whole accesses that are long enough.
  static int64_t short_parts(int64_t depth) {
    const int64_t least = (depth + kLongest - 1) / kLongest;
    for (int64_t parts = least; parts <= 2 * least; ++parts)
      if (depth % (parts * kWhole) == 0) return parts;
    return 1;
  }

  /// In the workspace: the source and the result, or both sides, at the points; then the filters.
  struct Room {
    size_t second, filters, bytes;
    explicit Room(const Winograd& w) {
      const auto of = [](int64_t numbers) { return (static_cast<size_t>(numbers) * sizeof(float) + 255) / 256 * 256; };
      const int64_t tiles = w.points() * w.tiles_.at_a_time();
      second = of(tiles * w.source().planes);
      filters = second + of(tiles * w.result().planes);
      bytes = filters + of(w.points() * w.tiles_.rows * w.filters());
    }
  };
  /// The same as pointers.
  struct Placed {
    float *source, *second, *filters;
    void* workspace;
    Placed(const Room& room, void* scratch) {
      auto* const bytes = static_cast<uint8_t*>(scratch);
      const auto at = [bytes](size_t place) { return reinterpret_cast<float*>(bytes + place); };
      source = at(0);
      second = at(room.second);
      filters = at(room.filters);
      workspace = bytes + room.bytes;
    }
  };

  template <class F>
  void with_tile(const F& f) const;
  /// d = a b, or more of it.
  void multiply(const Launch& launch, const float* a, const float* b, float* d, void* workspace, bool more) const;
  template <class Transform>
  void at_points(const Launch& launch, int64_t first, const Maps& maps, int64_t pad_h, int64_t pad_w, const float* from,
                 float* to) const;
  template <int Tile, int R>
  void correlate(const Launch& launch, const float* from, const float* weight, float* to,
                 const Epilogue& epilogue) const;
  template <int Tile, int R>
  void filter_gradient(const Launch& launch, const float* image, float* weight, const float* features) const;

  Vendor* vendor_;
  Pass pass_;
  Conv2dShape s_;
  int64_t tile_;
  Tiles tiles_;
  GemmShape shape_;
  const Gemm* product_;
  Room room_;
};

/// What an algorithm is compared with that is taken today: whether a library has it, and its time where it was
/// measured.
struct Rival {
  bool library;
  std::optional<float> milliseconds;
};

/// The fastest way where it was measured to be faster than the library's plan or, where there is none, than our
/// `direct` kernel. Where nothing is timed, none.
std::optional<Winograd> fastest_winograd(Vendor& vendor, const ConvolutionShape& shape, const Conv2dShape& s,
                                         const Vendor::OwnConvolution& direct, const Rival& rival);

}  // namespace cortado::cuda
