#include "memory.h"

#include "normalize.h"

namespace cortado {

void Memory::write_pictures(size_t offset, const Normalization& n, const Pixels& pixels) {
  const auto count = static_cast<size_t>((pixels.last - pixels.first) * n.channels * n.height * n.width);
  write(offset, count * sizeof(float), [&](uint8_t* place, Threads&) {
    float* to = reinterpret_cast<float*>(place);
    if (pixels.floats) {
      normalize(n, static_cast<const float*>(pixels.data), pixels.first, pixels.last, to);
    } else {
      normalize(n, static_cast<const uint8_t*>(pixels.data), pixels.first, pixels.last, to);
    }
  });
}

}  // namespace cortado
