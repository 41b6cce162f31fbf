#include "plan_store.h"

#include <stdint.h>

#include <fstream>
#include <limits>
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

std::optional<Choice> PlanStore::load(const std::string& key) const {
  if (!keeps()) return std::nullopt;
  std::ifstream file(file_of(key), std::ios::binary);
  std::string own;
  if (!std::getline(file, own) || own != key) return std::nullopt;  // two keys may have one digest
  Choice choice{};
  std::string unit;
  if (!(file >> choice.milliseconds >> unit) || unit != "ms" || file.get() != '\n') return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  choice.description = text.str();
  return choice;
}

std::optional<Choice> PlanStore::keep(const std::string& key, const Choice& choice) const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  // Written aside and then given its name, which another process may have given before: a reader sees all of it or
  // nothing, and never two.
  const std::filesystem::path file = file_of(key), aside = file.string() + "." + std::to_string(std::random_device()());
  {
    std::ofstream out(aside, std::ios::binary);
    out.precision(std::numeric_limits<float>::max_digits10);
    out << key << '\n' << choice.milliseconds << " ms\n" << choice.description;
  }
  std::filesystem::create_hard_link(aside, file, error);
  // Some file systems have no such links.
  if (error && !std::filesystem::exists(file, error)) std::filesystem::rename(aside, file, error);
  std::filesystem::remove(aside, error);
  return load(key);
}

void PlanStore::forget(const std::string& key) const {
  std::error_code ignored;
  std::filesystem::remove(file_of(key), ignored);
}

}  // namespace cortado::cuda
