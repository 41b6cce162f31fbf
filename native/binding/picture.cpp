#include "picture.h"

#include <algorithm>
#include <vector>

#include "../core/error.h"
#include "../core/picture.h"
#include "arrays.h"
#include "guard.h"

namespace cortado::binding {

namespace {

/// Longest side of a picture: products of all extents stay far below 2^63.
constexpr int64_t kMostSide = 1 << 20;

struct Placed {
  Window window;
  bool mirrored;
};

/// A request, its numbers checked against each other.
struct Request {
  Picture picture;
  int64_t tall, wide;
  std::vector<Placed> windows;
  std::vector<int64_t> planes;  // none: pixels as they lie
  uint8_t* out;

  int64_t room() const {
    const Window& one = windows.front().window;
    const int64_t planar = static_cast<int64_t>(planes.size());
    return one.height * one.width * (planar > 0 ? planar : picture.channels);
  }
};

int64_t side(const Napi::Value& value, const char* what) {
  const size_t extent = whole(value, what);
  if (extent < 1 || extent > kMostSide) fail("USAGE", "picture: expected a %s of 1 to 1048576, got %zu", what, extent);
  return static_cast<int64_t>(extent);
}

Napi::Array pair_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray()) fail("USAGE", "picture: expected two numbers as %s", name);
  return value.As<Napi::Array>();
}

std::vector<int64_t> planes_of(const Napi::Value& value, int64_t channels) {
  std::vector<int64_t> planes;
  if (!value.IsArray()) return planes;
  const Napi::Array list = value.As<Napi::Array>();
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Value item = list.Get(i);
    const int64_t plane = item.IsNumber() ? item.As<Napi::Number>().Int64Value() : channels;
    if (plane < kGrey || plane >= channels || (plane == kGrey && channels != 3))
      fail("USAGE", "picture: expected a plane of the %d channels", static_cast<int>(channels));
    planes.push_back(plane);
  }
  return planes;
}

uint8_t* bytes_of(const Elements& elements, const char* what, size_t length) {
  if (elements.type != napi_uint8_array && elements.type != napi_uint8_clamped_array)
    fail("USAGE", "picture: expected %s to be a Uint8Array", what);
  if (elements.length != length)
    fail("USAGE", "picture: expected %zu bytes as %s, got %zu", length, what, elements.length);
  return static_cast<uint8_t*>(const_cast<void*>(elements.data));
}

Request request_of(const Napi::Object& object) {
  Request r{};
  r.picture = {nullptr, side(object.Get("channels"), "number of channels"), side(object.Get("height"), "height"),
               side(object.Get("width"), "width")};
  if (r.picture.channels != 1 && r.picture.channels != 3) fail("USAGE", "picture: expected 1 or 3 channels");
  const Napi::Array resized = pair_of(object, "resized"), extents = pair_of(object, "extents");
  r.tall = side(resized.Get(0u), "height");
  r.wide = side(resized.Get(1u), "width");
  const int64_t height = side(extents.Get(0u), "height"), width = side(extents.Get(1u), "width");
  r.planes = planes_of(object.Get("planes"), r.picture.channels);
  const Napi::Value arrays[] = {object.Get("data"), object.Get("windows"), object.Get("out")};
  // No JavaScript runs from here on: the arrays stay where they are.
  const Elements places = elements_of(arrays[1], "windows");
  if (places.type != napi_int32_array || places.length < 3 || places.length % 3 != 0)
    fail("USAGE", "picture: expected three numbers for each window, got %zu", places.length);
  const auto* place = static_cast<const int32_t*>(places.data);
  for (size_t i = 0; i < places.length; i += 3) {
    const Window window{place[i], place[i + 1], height, width};
    if (window.top < 0 || window.left < 0 || window.top > r.tall - height || window.left > r.wide - width)
      fail("USAGE", "picture: expected a window within the picture");
    if (place[i + 2] != 0 && r.planes.empty()) fail("USAGE", "picture: only planes are mirrored");
    r.windows.push_back({window, place[i + 2] != 0});
  }
  const size_t pixels = static_cast<size_t>(r.picture.channels * r.picture.height * r.picture.width);
  r.picture.data = bytes_of(elements_of(arrays[0], "data"), "data", pixels);
  r.out = bytes_of(elements_of(arrays[2], "out"), "out", r.windows.size() * static_cast<size_t>(r.room()));
  return r;
}

/// The least that holds all windows.
Window around(const std::vector<Placed>& windows) {
  int64_t top = windows[0].window.top, left = windows[0].window.left, bottom = 0, right = 0;
  for (const auto& [window, mirrored] : windows) {
    top = std::min(top, window.top);
    left = std::min(left, window.left);
    bottom = std::max(bottom, window.top + window.height);
    right = std::max(right, window.left + window.width);
  }
  return {top, left, bottom - top, right - left};
}

void copy(const Picture& picture, const Placed& placed, const std::vector<int64_t>& planes, uint8_t* out) {
  const auto& [window, mirrored] = placed;
  for (const int64_t channel : planes) {
    cut_plane(picture, window, mirrored, channel, out);
    out += window.height * window.width;
  }
  if (!planes.empty()) return;
  const int64_t row = picture.channels * window.width;
  for (int64_t y = 0; y < window.height; ++y)
    out = std::copy_n(picture.data + picture.channels * ((window.top + y) * picture.width + window.left), row, out);
}

void cut(const Request& r) {
  Picture picture = r.picture;
  Window seen{};
  std::vector<uint8_t> made;
  if (r.tall != picture.height || r.wide != picture.width) {
    seen = around(r.windows);
    made = resize(picture, r.tall, r.wide, seen);
    picture = {made.data(), picture.channels, seen.height, seen.width};
  }
  uint8_t* out = r.out;
  for (Placed placed : r.windows) {
    placed.window.top -= seen.top;
    placed.window.left -= seen.left;
    copy(picture, placed, r.planes, out);
    out += r.room();
  }
}

}  // namespace

Napi::Value cut_picture(const Napi::CallbackInfo& call) {
  return guard(call.Env(), [&]() -> Napi::Value {
    if (!call[0].IsObject()) fail("USAGE", "picture: expected an object");
    cut(request_of(call[0].As<Napi::Object>()));
    return call.Env().Undefined();
  });
}

}  // namespace cortado::binding
