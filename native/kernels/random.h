// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The
// same words as lib/random.ts: number i of a stream is a pure function of seed, stream and i, whichever thread or
// device asks.
#pragma once

#include "formula.h"

namespace cortado::CORTADO_ISA {
/// Four random words.
struct Words {
  uint32_t word[4];
};

CORTADO_FORMULA Words philox(Words c, uint32_t key0, uint32_t key1) {
  CORTADO_UNROLL(10)
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xd2511f53} * c.word[0], b = uint64_t{0xcd9e8d57} * c.word[2];
    c = {{static_cast<uint32_t>(b >> 32) ^ c.word[1] ^ key0, static_cast<uint32_t>(b),
          static_cast<uint32_t>(a >> 32) ^ c.word[3] ^ key1, static_cast<uint32_t>(a)}};
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  return c;
}

/// The random numbers of one step in one run. In run 0 they are those of `new Random(seed, stream)` in lib/random.ts.
struct RandomStream {
  uint32_t key[2];
  uint32_t run[2];
  uint32_t stream;

  /// `state` is the step's random input: seed low, seed high, run counter low, run counter high.
  CORTADO_FORMULA RandomStream(const int32_t* state, int64_t number)
      : key{static_cast<uint32_t>(state[0]), static_cast<uint32_t>(state[1])},
        run{static_cast<uint32_t>(state[2]), static_cast<uint32_t>(state[3])},
        stream(static_cast<uint32_t>(number)) {}

  /// Words 4 * index to 4 * index + 3. `purpose` 1 gives a second sequence, independent of the first.
  CORTADO_FORMULA Words words(int64_t index, uint32_t purpose = 0) const {
    return philox({{static_cast<uint32_t>(index), run[0], stream, run[1] ^ (purpose << 31)}}, key[0], key[1]);
  }
};

/// Uniform in (0, 1).
CORTADO_FORMULA double unit_interval(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

}  // namespace cortado::CORTADO_ISA
