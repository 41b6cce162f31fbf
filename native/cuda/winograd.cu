#include "winograd.h"

#include "../core/error.h"
#include "winograd_tiles.h"

namespace cortado::cuda {

std::vector<Winograd> Winograd::ways(Vendor& vendor, Pass pass, const Conv2dShape& s) {
  std::vector<Winograd> ways;
  for (const int64_t tile : {7, 8}) {
    if (tile == 8 && s.height.taps != 5) continue;
    int64_t before = 0;
    for (const size_t room : {kMostRoom, vendor.cache() / 2}) {
      const Tiles tiles = tiles_of(pass, s, tile, room);
      if (tiles.at_a_time() == before) continue;
      before = tiles.at_a_time();
      try {
        Winograd way(vendor, pass, s, tile, tiles);
        if (way.product_ && way.workspace() <= kMostWorkspace) ways.push_back(way);
      } catch (const Error& error) {
        // A batch that the library takes for a mistake: there are other ways to compute the same.
        if (std::string(error.code) != "DEVICE") throw;
      }
    }
  }
  return ways;
}

template <class F>
void Winograd::with_tile(const F& f) const {
  if (tile_ == 8) return f.template operator()<8, 5>();
  if (s_.height.taps == 3) return f.template operator()<7, 3>();
  if (s_.height.taps == 4) return f.template operator()<7, 4>();
  f.template operator()<7, 5>();
}

/// The part of the batch that begins with tile `first`.
template <class Transform>
void Winograd::at_points(const Launch& launch, int64_t first, const Maps& maps, int64_t pad_h, int64_t pad_w,
                         const float* from, float* to) const {
  for_each<int32_t>(launch, maps.planes * tiles_.at_a_time(),
                    TilesAtPoints<Transform>(tiles_, first, maps, pad_h, pad_w, from, to));
}

void Winograd::multiply(const Launch& launch, const float* a, const float* b, float* d, void* workspace,
                        bool more) const {
  for (int64_t part = 0; part < shape_.parts; ++part)
    vendor_->run(*product_, launch.stream, a + part * shape_.next_a(), b + part * shape_.next_b(), nullptr, d,
                 workspace, more || part > 0);
}

template <int Tile, int R>
void Winograd::correlate(const Launch& launch, const float* from, const float* weight, float* to,
                         const Epilogue& epilogue) const {
  const Placed at(room_, launch.scratch);
  const Maps source = this->source(), result = this->result();
  const bool turned = pass_ == Pass::image;
  const auto pad = [turned](const Extent& e) { return turned ? e.taps - 1 - e.pad : e.pad; };
  for_each<int32_t>(launch, filters(),
                    FiltersAtPoints<Tile, R>{static_cast<int32_t>(filters()), turned, weight, at.filters});
  for (int64_t first = 0; first < tiles_.all(); first += tiles_.count) {
    at_points<Interpolate<Tile>>(launch, first, source, pad(s_.height), pad(s_.width), from, at.source);
    multiply(launch, at.source, at.filters, at.second, at.workspace, false);
    for_each<int32_t>(launch, result.planes * tiles_.count,
                      TilesFromPoints<Tile, Tile + 1 - R>(tiles_, first, result, at.second, to, epilogue));
  }
}

/// Sums of each row of tiles; those that come later are added to those before.
template <int Tile, int R>
void Winograd::filter_gradient(const Launch& launch, const float* image, float* weight, const float* features) const {
  const Placed at(room_, launch.scratch);
  const Maps source = this->source(), other = result();
  for (int64_t first = 0; first < tiles_.all(); first += tiles_.at_a_time()) {
    at_points<Interpolate<Tile>>(launch, first, source, s_.height.pad, s_.width.pad, image, at.source);
    at_points<AtPoints<Tile, Tile + 1 - R>>(launch, first, other, 0, 0, features, at.second);
    multiply(launch, at.source, at.second, at.filters, at.workspace, first > 0);
  }
  if (tiles_.rows > 1)
    for_each<int32_t>(launch, points() * filters(), RowsTogether(filters(), tiles_.rows, at.filters));
  const auto apart = static_cast<int32_t>(tiles_.rows * filters());
  for_each<int32_t>(launch, filters(), FiltersFromPoints<Tile, R>{apart, at.filters, weight});
}

void Winograd::run(const Launch& launch, float* image, float* weight, float* features, const Epilogue& epilogue) const {
  with_tile([&]<int Tile, int R>() {
    if (pass_ == Pass::weight) return filter_gradient<Tile, R>(launch, image, weight, features);
    const bool forward = pass_ == Pass::features;
    correlate<Tile, R>(launch, forward ? image : features, weight, forward ? features : image, epilogue);
  });
}

std::optional<Winograd> fastest_winograd(Vendor& vendor, const ConvolutionShape& shape, const Conv2dShape& s,
                                         const Vendor::OwnConvolution& direct, const Rival& rival) {
  if (!vendor.keeps() || (rival.library && !rival.milliseconds) || !Winograd::takes(s)) return std::nullopt;
  std::vector<Winograd> ways = Winograd::ways(vendor, shape.pass, s);
  if (ways.empty()) return std::nullopt;
  std::vector<Vendor::Way> all;
  for (const Winograd& way : ways) {
    const auto floats = [](const void* data) { return static_cast<float*>(const_cast<void*>(data)); };
    const auto run = [way, floats](cudaStream_t stream, const ConvolutionShape& wanted, const ConvolutionTensors& t) {
      way.run({stream, t.workspace, nullptr}, floats(t.image), floats(t.weight), floats(t.features),
              {wanted.bias ? floats(t.bias) : nullptr, wanted.relu});
    };
    all.push_back({way.text(), {run, way.workspace()}});
  }
  if (!rival.library) all.push_back({"direct", direct});
  const std::optional<Found<size_t>> found = vendor.fastest_of(shape, direct, all);
  if (!found || !found->milliseconds || found->plan >= ways.size()) return std::nullopt;
  if (rival.milliseconds && *found->milliseconds >= *rival.milliseconds) return std::nullopt;
  return ways[found->plan];
}

}  // namespace cortado::cuda
