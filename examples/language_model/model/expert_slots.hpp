// SPDX-License-Identifier: MIT
// The assignment of tokens to experts. A *slot* is a token and one of its experts. Slots are sorted
// by expert, and within an expert by token, so that an expert's work is a dense product over
// contiguous rows.
//
// Experts 0 .. experts - 1 are routed, `top_k` of them for each token; those from `experts` to
// experts + shared - 1 are shared: every token uses them all, in its last slots.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "linear.hpp"

namespace language_model {

struct MixtureShape {
  index channels;    // C
  index experts;     // routed; 0 with top_k 0: the shared ones alone, a dense feed-forward
  index top_k;       // k
  index hidden;      // H, inner width of an expert
  index shared = 1;  // experts that every token uses
  index all_experts() const { return experts + shared; }
  index meetings() const { return top_k + shared; }  // experts of a token
  index slots(index tokens) const { return tokens * meetings(); }
};

class ExpertSlots {
 public:
  // One expert and some of its slots: a task.
  struct Task {
    index expert, begin, end;
  };

  ExpertSlots(const MixtureShape& shape, index tokens)
      : shape_(shape),
        expert_(size_of(shape.slots(tokens))),
        slot_(expert_.size()),
        token_(expert_.size()),
        begin_(size_of(shape.all_experts() + 1), 0) {
    tasks_.reserve(size_of(shape.slots(tokens) / rows + shape.all_experts()));
  }

  // (meetings) the experts of token t; write the routed ones there before sort().
  index* experts_of(index t) { return &expert_[size_of(t * shape_.meetings())]; }
  const index* experts_of(index t) const { return &expert_[size_of(t * shape_.meetings())]; }

  // The slot of token t and its j-th expert, and the token of a slot.
  index slot(index t, index j) const { return slot_[size_of(t * shape_.meetings() + j)]; }
  index token(index slot) const { return token_[size_of(slot)]; }

  // Expert e owns the slots begin(e) .. begin(e + 1) - 1, load(e) of them.
  index begin(index e) const { return begin_[size_of(e)]; }
  index load(index e) const { return begin(e + 1) - begin(e); }

  const std::vector<Task>& tasks() const { return tasks_; }

  // Sorts the first `tokens` tokens' slots by counting, then cuts them into tasks.
  void sort(index tokens) {
    for (index t = 0; t < tokens; ++t) {
      for (index j = 0; j < shape_.shared; ++j) {
        experts_of(t)[shape_.top_k + j] = shape_.experts + j;
      }
    }
    std::fill(begin_.begin(), begin_.end(), 0);
    for (index i = 0; i < shape_.slots(tokens); ++i) {
      ++begin_[size_of(expert_[size_of(i)] + 1)];
    }
    for (std::size_t e = 1; e < begin_.size(); ++e) {
      begin_[e] += begin_[e - 1];
    }
    for (index i = 0; i < shape_.slots(tokens); ++i) {
      const index next = begin_[size_of(expert_[size_of(i)])]++;
      slot_[size_of(i)] = next;
      token_[size_of(next)] = i / shape_.meetings();
    }
    for (std::size_t e = begin_.size() - 1; e > 0; --e) {  // the loop above moved each to its end
      begin_[e] = begin_[e - 1];
    }
    begin_[0] = 0;
    tasks_.clear();
    for (index e = shape_.all_experts() - 1; e >= 0;
         --e) {  // shared experts first: they have the most work
      for (index i = begin(e); i < begin(e + 1); i += rows) {
        tasks_.push_back({e, i, std::min(i + rows, begin(e + 1))});
      }
    }
  }

 private:
  static constexpr index rows = 128;  // slots of one expert per task

  static std::size_t size_of(index i) { return static_cast<std::size_t>(i); }

  MixtureShape shape_;
  std::vector<index> expert_;  // (tokens, meetings): expert of each slot of a token
  std::vector<index> slot_;    // (tokens, meetings): positions of these slots
  std::vector<index> token_;   // (slots): token of each slot
  std::vector<index> begin_;   // (all experts + 1)
  std::vector<Task> tasks_;
};

}  // namespace language_model
