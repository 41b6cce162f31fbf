#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace cortado::cuda {

/// A plan that was chosen, in its library's words, and the time that it took then.
struct Choice {
  float milliseconds;
  std::string description;

  bool operator==(const Choice&) const = default;
};

/// A plan, and the time that it took when it was chosen; none where nothing was timed.
template <class Plan>
struct Found {
  Plan plan;
  std::optional<float> milliseconds;
};

/// Choices by key in a folder, one file each, so that a choice that was made once holds from process to process.
class PlanStore {
 public:
  /// An empty folder keeps nothing.
  explicit PlanStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

  bool keeps() const { return !folder_.empty(); }
  std::optional<Choice> load(const std::string& key) const;
  /// What is kept under the key from now on: the first choice that a process made. Nothing where it cannot be written.
  std::optional<Choice> keep(const std::string& key, const Choice& choice) const;
  void forget(const std::string& key) const;

 private:
  std::filesystem::path file_of(const std::string& key) const;

  std::filesystem::path folder_;
};

}  // namespace cortado::cuda
