#include "plan_store.h"

#include <stdint.h>

#include <fstream>
#include <random>
#include <sstream>

namespace cortado::cuda {

namespace {

/// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), 64 bits, in hexadecimal digits.
std::string digest(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  std::ostringstream digits;
  digits << std::hex << hash;
  return digits.str();
}

}  // namespace

std::filesystem::path PlanStore::file_of(const std::string& key) const { return folder_ / (digest(key) + ".plan"); }

std::optional<std::string> PlanStore::load(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  std::ifstream file(file_of(key), std::ios::binary);
  std::string own;
  if (!std::getline(file, own) || own != key) return std::nullopt;  // two keys may have one digest
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void PlanStore::save(const std::string& key, const std::string& text) const {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  // Written aside and renamed: a reader sees all of it or nothing.
  const std::filesystem::path file = file_of(key), aside = file.string() + "." + std::to_string(std::random_device()());
  {
    std::ofstream out(aside, std::ios::binary);
    out << key << '\n' << text;
    if (!out.flush()) return;
  }
  std::filesystem::rename(aside, file, ignored);
  if (ignored) std::filesystem::remove(aside, ignored);
}

}  // namespace cortado::cuda
