#include "device.h"

#include <stdlib.h>

#include "../core/error.h"
#include "../core/system.h"
#include "../core/team.h"

// What the files of isa/ define.
#define CORTADO_DECLARE_TABLE(isa, table) \
  namespace cortado::isa {                \
  extern const Kernel table[];            \
  extern const int table##Size;           \
  }
#define CORTADO_DECLARE_ISA(isa)     \
  CORTADO_DECLARE_TABLE(isa, kTable) \
  CORTADO_DECLARE_TABLE(isa, kProducts)
#if defined(CORTADO_OWN_ISA)  // of the compiling machine, in a sanitized build
CORTADO_DECLARE_ISA(own)
#else
CORTADO_DECLARE_ISA(portable)
#if defined(__x86_64__)
CORTADO_DECLARE_ISA(avx2)
CORTADO_DECLARE_ISA(avx512)
CORTADO_DECLARE_TABLE(avx512bf16, kProducts)
#elif defined(__aarch64__)
CORTADO_DECLARE_ISA(neon)
#endif
#endif

namespace cortado::cpu {

namespace {

struct Isa {
  const char* name;
  KernelTable table;
};

#define CORTADO_TABLE_OF(isa) KernelTable(isa::kTable, isa::kTableSize, KernelTable(isa::kProducts, isa::kProductsSize))

/// Widest first.
std::vector<Isa> available() {
  std::vector<Isa> found;
#if defined(CORTADO_OWN_ISA)
  found.push_back({"own", CORTADO_TABLE_OF(own)});
#else
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
  const bool bf16 = avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
  if (bf16)
    found.push_back({"avx512bf16", {avx512bf16::kProducts, avx512bf16::kProductsSize, CORTADO_TABLE_OF(avx512)}});
  if (avx512) found.push_back({"avx512", CORTADO_TABLE_OF(avx512)});
  if (avx2) found.push_back({"avx2", CORTADO_TABLE_OF(avx2)});
#elif defined(__aarch64__)
  found.push_back({"neon", CORTADO_TABLE_OF(neon)});
#endif
  found.push_back({"portable", CORTADO_TABLE_OF(portable)});
#endif
  return found;
}

Isa choose() {
  const std::vector<Isa> all = available();
  const std::string wanted = variable("CORTADO_ISA");
  if (wanted.empty()) return all.front();
  for (const Isa& isa : all)
    if (isa.name == wanted) return isa;
  std::string names;
  for (const Isa& isa : all) names += (names.empty() ? "" : ", ") + std::string(isa.name);
  fail("DEVICE", "CORTADO_ISA: expected one of %s on this machine, got %s", names.c_str(), wanted.c_str());
}

const Isa& chosen() {
  static const Isa isa = choose();
  return isa;
}

}  // namespace

const KernelTable& kernels() { return chosen().table; }

std::string isa() { return chosen().name; }

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const Isa& isa : available()) names.emplace_back(isa.name);
  return names;
}

int default_threads() {
  const std::string wanted = variable("CORTADO_THREADS");
  if (wanted.empty()) return physical_cores();
  char* end = nullptr;
  const long threads = strtol(wanted.c_str(), &end, 10);
  if (*end != '\0' || threads < 1 || threads > 1024)
    fail("USAGE", "CORTADO_THREADS: expected a number from 1 to 1024, got %s", wanted.c_str());
  return static_cast<int>(threads);
}

std::unique_ptr<Threads> make_team(int threads) { return std::make_unique<Team>(threads); }

}  // namespace cortado::cpu
