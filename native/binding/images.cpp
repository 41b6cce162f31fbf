#include "images.h"

#include "../core/error.h"
#include "../core/normalize.h"
#include "arrays.h"

namespace cortado::binding {

namespace {

size_t product(size_t a, size_t b) {
  size_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) fail("INTERNAL", "images: expected extents that fit in memory");
  return result;
}

/// Numbers of one type, exactly or at least as many as told.
const void* numbers(const Elements& elements, napi_typedarray_type type, const char* what, size_t least, size_t most) {
  if (elements.type != type || elements.length < least || elements.length > most)
    fail("USAGE", "images: expected %zu numbers of the right type as %s, got %zu", least, what, elements.length);
  return elements.data;
}

struct Extents {
  size_t channels, height, width, mean_height, mean_width;

  size_t picture() const { return product(channels, product(height, width)); }
};

Extents extents_of(const Napi::Object& images) {
  const auto extent = [&images](const char* name) { return whole(images.Get(name), name); };
  const Extents e{extent("channels"), extent("height"), extent("width"), extent("meanHeight"), extent("meanWidth")};
  if (e.picture() == 0) fail("USAGE", "images: expected extents of at least 1");
  const bool one = e.mean_height == 1 && e.mean_width == 1;
  if (!one && (e.mean_height < e.height || e.mean_width < e.width)) {
    fail("USAGE", "images: expected a mean of at least %zux%zu, got %zux%zu", e.height, e.width, e.mean_height,
         e.mean_width);
  }
  return e;
}

/// What images carry besides their pixels. No JavaScript may run between this and the use of its pointers.
Normalization normalization_of(const Extents& e, const Napi::Value (&arrays)[5], size_t last) {
  const auto floats = [](const Napi::Value& value, const char* what, size_t least, size_t most) {
    return static_cast<const float*>(numbers(elements_of(value, what), napi_float32_array, what, least, most));
  };
  const auto& [data, mean, scale, windows, shift] = arrays;
  const size_t means = product(e.channels, product(e.mean_height, e.mean_width));
  Normalization n{};
  n.channels = static_cast<int64_t>(e.channels);
  n.height = static_cast<int64_t>(e.height);
  n.width = static_cast<int64_t>(e.width);
  n.mean_height = static_cast<int64_t>(e.mean_height);
  n.mean_width = static_cast<int64_t>(e.mean_width);
  n.mean = floats(mean, "mean", means, means);
  n.scale = floats(scale, "scale", e.channels, e.channels);
  if (!shift.IsUndefined()) n.shift = floats(shift, "shift", product(last, e.channels), SIZE_MAX);
  if (!windows.IsUndefined()) {
    const Elements found = elements_of(windows, "windows");
    n.windows = static_cast<const int32_t*>(numbers(found, napi_int32_array, "windows", product(last, 3), SIZE_MAX));
  }
  return n;
}

}  // namespace

void write_images(Memory& memory, size_t offset, const Napi::Value& images, size_t first, size_t last) {
  if (!images.IsObject()) fail("USAGE", "images: expected an object");
  const Napi::Object object = images.As<Napi::Object>();
  const Extents extents = extents_of(object);
  const Napi::Value arrays[] = {object.Get("data"), object.Get("mean"), object.Get("scale"), object.Get("windows"),
                                object.Get("shift")};
  const size_t picture = extents.picture();
  const Elements pixels = elements_of(arrays[0], "data");
  if (first > last || last > pixels.length / picture) {
    fail("USAGE", "images: expected pictures within the %zu given, got [%zu, %zu): was their buffer transferred?",
         pixels.length / picture, first, last);
  }
  if (offset % sizeof(float) != 0) fail("INTERNAL", "images: expected a multiple of 4 as offset, got %zu", offset);
  if (offset > memory.bytes() || product(last - first, picture) > (memory.bytes() - offset) / sizeof(float))
    fail("INTERNAL", "images: %zu pictures at byte %zu do not fit", last - first, offset);
  const bool floats = pixels.type == napi_float32_array;
  if (!floats && pixels.type != napi_uint8_array && pixels.type != napi_uint8_clamped_array)
    fail("USAGE", "images: expected a Float32Array or Uint8Array");
  memory.write_pictures(offset, normalization_of(extents, arrays, last),
                        {pixels.data, floats, static_cast<int64_t>(first), static_cast<int64_t>(last)});
}

}  // namespace cortado::binding
