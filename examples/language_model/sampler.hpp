// SPDX-License-Identifier: MIT
// Draws text from a model, byte by byte: p_i ~ p_i^(1 / temperature).
#pragma once

#include <array>
#include <cmath>
#include <string>

#include "language_model.hpp"
#include "random.hpp"

namespace language_model {

// A byte from 256 probabilities.
inline std::uint8_t draw(const float* probabilities, double temperature, Random& random) {
  std::array<double, 256> cumulative{};
  double sum = 0;
  for (std::size_t i = 0; i < cumulative.size(); ++i) {
    sum += std::pow(static_cast<double>(probabilities[i]), 1 / temperature);
    cumulative[i] = sum;
  }
  const double at = random.uniform() * sum;
  std::size_t i = 0;
  while (i + 1 < cumulative.size() && cumulative[i] <= at) ++i;
  return static_cast<std::uint8_t>(i);
}

// The prompt and `size` bytes after it. When the context is full its first half is forgotten.
inline std::string sample(LanguageModel& model, const std::string& prompt, index size,
                          double temperature, index context, std::uint64_t seed,
                          const Workers& workers) {
  Random random(seed);
  std::string text = prompt;
  std::size_t begin = 0;
  for (index i = 0; i < size; ++i) {
    const auto longest = static_cast<std::size_t>(context);
    if (text.size() - begin > longest) begin = text.size() - (longest + 1) / 2;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data()) + begin;
    const auto length = static_cast<index>(text.size() - begin);
    model.forward(bytes, bytes, 1, length, workers);  // the losses are not looked at
    text += static_cast<char>(draw(model.probabilities(length - 1), temperature, random));
  }
  return text;
}

// The text with what a terminal cannot show replaced by '?'.
inline std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\n' && c != '\t') || byte > 126) c = '?';
  }
  return text;
}

}  // namespace language_model
