// SPDX-License-Identifier: MIT
// The loss of a model on a text, in bits per byte. Windows of the context's length advance by half
// of it, and only bytes that no earlier window predicted count. So every byte but the first is
// predicted once, and those after the first window from at least half a context.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "expert_loads.hpp"
#include "language_model.hpp"
#include "text.hpp"

namespace language_model {

namespace detail {

// Runs a forward over all windows, `batch` at a time, and calls visit(first) after each: the tokens
// of sequence s from first[s] on count.
template <class Visit>
void for_each_window(LanguageModel& model, const Bytes& text, Index batch, Index context,
                     const Workers& workers, const Visit& visit) {
  const Index predicted = static_cast<Index>(text.size()) - 1;
  const Index stride = std::max<Index>(1, context / 2);
  Bytes bytes(static_cast<std::size_t>(batch * context)), targets(bytes.size());
  std::vector<Index> first_counted;
  for (Index done = 0; done < predicted;) {
    const Index end = std::min(std::max(context, done + stride), predicted);
    const Index begin = end - context;  // the last window is shifted back to fit
    const auto s = static_cast<Index>(first_counted.size());
    std::copy_n(text.begin() + begin, context, bytes.begin() + s * context);
    std::copy_n(text.begin() + begin + 1, context, targets.begin() + s * context);
    first_counted.push_back(done - begin);
    done = end;
    if (s + 1 == batch || done == predicted) {
      model.forward(bytes.data(), targets.data(), s + 1, context, workers);
      visit(first_counted);
      first_counted.clear();
    }
  }
}

inline Index most_probable(const float* probabilities) {
  return std::max_element(probabilities, probabilities + vocabulary) - probabilities;
}

inline double nats_of(const LanguageModel& model, const std::vector<Index>& first, Index context) {
  double nats = 0;
  for (std::size_t s = 0; s < first.size(); ++s) {
    const Index begin = static_cast<Index>(s) * context + first[s];
    nats += model.losses().segment(begin, context - first[s]).cast<double>().sum();
  }
  return nats;
}

}  // namespace detail

inline double bits_per_byte(LanguageModel& model, const Bytes& text, Index batch, Index context,
                            const Workers& workers) {
  double nats = 0;
  detail::for_each_window(model, text, batch, context, workers, [&](const auto& first) {
    nats += detail::nats_of(model, first, context);
  });
  return nats / static_cast<double>(text.size() - 1) / std::log(2.0);
}

// The results of one pass over a text.
struct Evaluation {
  double bits_per_byte = 0;
  double further_bits_per_byte = 0;  // the prediction module's, of the byte after the next
  double acceptance = 0;             // see evaluate()
  ExpertLoads loads;
};

// bits_per_byte and, with a prediction module, its bits per byte and how often its most probable
// byte is also the decoder's, one token later: the acceptance rate of greedy speculative decoding
// when the byte before is the text's own. Tokens whose byte after the next lies outside their
// window do not count.
inline Evaluation evaluate(LanguageModel& model, const Bytes& text, Index batch, Index context,
                           const Workers& workers) {
  Evaluation result;
  result.loads = ExpertLoads(model);
  const bool further = model.has_prediction_module();
  double nats = 0, further_nats = 0, accepted = 0, guesses = 0;
  detail::for_each_window(model, text, batch, context, workers, [&](const auto& first) {
    if (further) model.predict_further(workers);
    nats += detail::nats_of(model, first, context);
    result.loads.add(model, further);
    for (std::size_t s = 0; further && s < first.size(); ++s) {
      const Index begin = static_cast<Index>(s) * context;
      for (Index t = begin + first[s]; t + 1 < begin + context; ++t) {
        further_nats += static_cast<double>(model.further_losses()(t));
        accepted += detail::most_probable(model.further_probabilities(t)) ==
                            detail::most_probable(model.probabilities(t + 1))
                        ? 1
                        : 0;
        ++guesses;
      }
    }
  });
  result.bits_per_byte = nats / static_cast<double>(text.size() - 1) / std::log(2.0);
  if (guesses > 0) {
    result.further_bits_per_byte = further_nats / guesses / std::log(2.0);
    result.acceptance = accepted / guesses;
  }
  return result;
}

// The mean of bits_per_byte over eight evenly spaced pieces, together about `size` bytes.
inline double sampled_bits_per_byte(LanguageModel& model, const Bytes& text, std::size_t size,
                                    Index batch, Index context, const Workers& workers) {
  constexpr std::size_t pieces = 8;
  const std::size_t shortest = static_cast<std::size_t>(context) + 1;
  const std::size_t length = std::min(std::max(size / pieces, shortest), text.size());
  double sum = 0;
  for (std::size_t i = 0; i < pieces; ++i) {
    const auto begin = text.begin() + static_cast<Index>(i * (text.size() - length) / (pieces - 1));
    const Bytes piece(begin, begin + static_cast<Index>(length));
    sum += bits_per_byte(model, piece, batch, context, workers);
  }
  return sum / pieces;
}

}  // namespace language_model
