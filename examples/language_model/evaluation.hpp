// SPDX-License-Identifier: MIT
// How well a model knows a text, in bits per byte. Windows of the context's length move on by half
// of it, and only the bytes that no window before predicted count: so every byte but the first is
// predicted once, and all beyond the first window from at least half a context.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "language_model.hpp"
#include "text.hpp"

namespace language_model {

inline double bits_per_byte(LanguageModel& model, const Bytes& text, index batch, index context,
                            const Workers& workers) {
  const index predicted = static_cast<index>(text.size()) - 1;
  const index stride = std::max<index>(1, context / 2);
  Bytes bytes(static_cast<std::size_t>(batch * context)), targets(bytes.size());
  std::vector<index> first_counted;
  double nats = 0;
  const auto run = [&] {
    const auto sequences = static_cast<index>(first_counted.size());
    model.forward(bytes.data(), targets.data(), sequences, context, workers);
    for (index s = 0; s < sequences; ++s) {
      const index first = first_counted[static_cast<std::size_t>(s)];
      nats += model.losses().segment(s * context + first, context - first).cast<double>().sum();
    }
    first_counted.clear();
  };
  for (index done = 0; done < predicted;) {
    const index end = std::min(std::max(context, done + stride), predicted);
    const index begin = end - context;  // the last window is moved back to fit
    const auto s = static_cast<index>(first_counted.size());
    std::copy_n(text.begin() + begin, context, bytes.begin() + s * context);
    std::copy_n(text.begin() + begin + 1, context, targets.begin() + s * context);
    first_counted.push_back(done - begin);
    done = end;
    if (s + 1 == batch || done == predicted) run();
  }
  return nats / static_cast<double>(predicted) / std::log(2.0);
}

// The mean of bits_per_byte over eight evenly spaced pieces, together about `size` bytes.
inline double sampled_bits_per_byte(LanguageModel& model, const Bytes& text, std::size_t size,
                                    index batch, index context, const Workers& workers) {
  constexpr std::size_t pieces = 8;
  const std::size_t shortest = static_cast<std::size_t>(context) + 1;
  const std::size_t length = std::min(std::max(size / pieces, shortest), text.size());
  double sum = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    const auto begin = text.begin() + static_cast<index>(i * (text.size() - length) / (pieces - 1));
    const Bytes piece(begin, begin + static_cast<index>(length));
    sum += bits_per_byte(model, piece, batch, context, workers);
  }
  return sum / pieces;
}

}  // namespace language_model
