#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace cortado::cuda {

/// Texts by key in a folder, one file each, so that a choice that was made once holds from process to process. What
/// cannot be read or written is left out: the choice is then made again.
class PlanStore {
 public:
  /// An empty folder keeps nothing.
  explicit PlanStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::optional<std::string> load(const std::string& key) const;
  void save(const std::string& key, const std::string& text) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;

  std::filesystem::path folder_;
};

}  // namespace cortado::cuda
