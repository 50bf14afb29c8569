// SPDX-License-Identifier: MIT
// What is left of a run: a CSV of its steps, and a table at its end.
#pragma once

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "language_model.hpp"
#include "trainer.hpp"

namespace language_model {

inline double bits(double nats) {
  return nats / std::log(2.0);
}

// FOLDER/language_model_<residual>.csv, a line a step. A resumed run keeps the lines up to its step
// and writes on.
class StepTable {
 public:
  StepTable(const std::filesystem::path& folder, const std::string& residual,
            std::uint64_t steps_done)
      : path_(folder / ("language_model_" + residual + ".csv")) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
      throw std::runtime_error("report: cannot create the folder '" + folder.string() +
                               "': " + error.message());
    }
    const auto kept = lines_until(steps_done);
    file_.open(path_, std::ios::trunc);
    file_ << "step,loss_nats,bits_per_byte,gradient_norm,learning_rate,bytes_per_second\n";
    for (const std::string& line : kept) file_ << line << '\n';
    check();
  }

  void add(const StepResult& result, double bytes_per_second) {
    char line[160];
    std::snprintf(line, sizeof line, "%llu,%.6f,%.6f,%.6f,%.8f,%.0f\n",
                  static_cast<unsigned long long>(result.step), result.loss, bits(result.loss),
                  result.gradient_norm, result.learning_rate, bytes_per_second);
    file_ << line;
  }

  void close() {
    file_.close();
    check();
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::vector<std::string> lines_until(std::uint64_t step) const {
    std::vector<std::string> lines;
    if (step == 0) return lines;
    std::ifstream old(path_);
    std::string line;
    std::getline(old, line);  // names
    while (std::getline(old, line) && std::strtoull(line.c_str(), nullptr, 10) <= step) {
      lines.push_back(line);
    }
    return lines;
  }

  void check() const {
    if (!file_) {
      throw std::runtime_error("report: cannot write '" + path_.string() +
                               "': " + std::strerror(errno));
    }
  }

  std::filesystem::path path_;
  std::ofstream file_;
};

struct Outcome {
  double train = 0, validation = 0;            // bits per byte
  double gzip_whole = 0, gzip_validation = 0;  // bits per byte
  double gradient_norm = 0, largest_gradient_norm = 0;
  CompositeGain gain;
  double load_imbalance = 1;
  std::uint64_t steps = 0;
  double bytes = 0;  // learnt from, repetitions counted
  double seconds = 0, bytes_per_second = 0;
  std::size_t parameters = 0;
};

inline void print_outcome(const Outcome& o) {
  std::printf(
      "\n"
      "bits per byte     validation %.3f   train %.3f\n"
      "gzip -9 needs     %.3f for the validation text alone, %.3f for the whole text\n"
      "composite gain    forward %.3f   backward %.3f\n"
      "gradient norm     last %.3f   largest %.3f\n"
      "expert load       largest %.2f times the mean\n"
      "parameters        %zu\n"
      "learnt from       %.0f bytes in %llu steps\n"
      "time              %.1f s, %.0f bytes/s\n",
      o.validation, o.train, o.gzip_validation, o.gzip_whole, o.gain.forward, o.gain.backward,
      o.gradient_norm, o.largest_gradient_norm, o.load_imbalance, o.parameters, o.bytes,
      static_cast<unsigned long long>(o.steps), o.seconds, o.bytes_per_second);
}

}  // namespace language_model
