// SPDX-License-Identifier: MIT
// Draws text from a model, byte by byte: p_i ~ p_i^(1 / temperature).
//
// Positions count from the first byte in the caches. When these are full, at `context` bytes, they
// are refilled with the last half of the bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string>

#include "language_model.hpp"
#include "random.hpp"

namespace language_model {

// A byte from 256 probabilities.
inline std::uint8_t draw(const float* probabilities, double temperature, Random& random) {
  // Relative to the largest: at a low temperature all powers would underflow.
  const double largest =
      static_cast<double>(*std::max_element(probabilities, probabilities + vocabulary));
  std::array<double, vocabulary> cumulative{};
  double sum = 0;
  for (std::size_t i = 0; i < cumulative.size(); ++i) {
    sum += std::pow(static_cast<double>(probabilities[i]) / largest, 1 / temperature);
    cumulative[i] = sum;
  }
  const double at = random.uniform() * sum;
  std::size_t i = 0;
  while (i + 1 < cumulative.size() && cumulative[i] <= at) ++i;
  return static_cast<std::uint8_t>(i);
}

// The prompt and `size` bytes after it.
inline std::string sample(const LanguageModel& model, const std::string& prompt, Index size,
                          double temperature, Index context, std::uint64_t seed,
                          const Workers& workers) {
  Random random(seed);
  const auto generation = model.generation(context);
  std::string text = prompt;
  for (Index i = 0; i < size; ++i) {
    const Index read = generation->size();
    Index next = read == 0 ? static_cast<Index>(text.size()) : 1;  // bytes at the end to read
    if (next > context - read) {
      generation->clear();
      next = (context + 1) / 2;
    }
    const auto* const end = reinterpret_cast<const std::uint8_t*>(text.data()) + text.size();
    generation->extend(end - next, next, workers);
    text += static_cast<char>(draw(generation->probabilities(), temperature, random));
  }
  return text;
}

// The text with unprintable bytes replaced by '?'.
inline std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 32 && c != '\n' && c != '\t') || byte > 126) c = '?';
  }
  return text;
}

}  // namespace language_model
