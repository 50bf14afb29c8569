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
  Index channels;    // C
  Index experts;     // routed; 0 with top_k 0: the shared ones alone, a dense feed-forward
  Index top_k;       // k
  Index hidden;      // H, inner width of an expert
  Index shared = 1;  // experts that every token uses
  Index all_experts() const { return experts + shared; }
  Index meetings() const { return top_k + shared; }  // experts of a token
  Index slots(Index tokens) const { return tokens * meetings(); }
};

class ExpertSlots {
 public:
  // One expert and some of its slots: a task.
  struct Task {
    Index expert, begin, end;
  };

  ExpertSlots(const MixtureShape& shape, Index tokens)
      : shape_(shape),
        expert_(size_of(shape.slots(tokens))),
        slot_(expert_.size()),
        token_(expert_.size()),
        begin_(size_of(shape.all_experts() + 1), 0) {
    tasks_.reserve(size_of(shape.slots(tokens) / rows + shape.all_experts()));
  }

  // (meetings) the experts of token t; write the routed ones there before sort().
  Index* experts_of(Index t) { return &expert_[size_of(t * shape_.meetings())]; }
  const Index* experts_of(Index t) const { return &expert_[size_of(t * shape_.meetings())]; }

  // The slot of token t and its j-th expert, and the token of a slot.
  Index slot(Index t, Index j) const { return slot_[size_of(t * shape_.meetings() + j)]; }
  Index token(Index slot) const { return token_[size_of(slot)]; }

  // Expert e owns the slots begin(e) .. begin(e + 1) - 1, load(e) of them.
  Index begin(Index e) const { return begin_[size_of(e)]; }
  Index load(Index e) const { return begin(e + 1) - begin(e); }

  const std::vector<Task>& tasks() const { return tasks_; }

  // Sorts the first `tokens` tokens' slots by counting, then cuts them into tasks.
  void sort(Index tokens) {
    for (Index t = 0; t < tokens; ++t) {
      for (Index j = 0; j < shape_.shared; ++j) {
        experts_of(t)[shape_.top_k + j] = shape_.experts + j;
      }
    }
    std::fill(begin_.begin(), begin_.end(), 0);
    for (Index i = 0; i < shape_.slots(tokens); ++i) {
      ++begin_[size_of(expert_[size_of(i)] + 1)];
    }
    for (std::size_t e = 1; e < begin_.size(); ++e) {
      begin_[e] += begin_[e - 1];
    }
    for (Index i = 0; i < shape_.slots(tokens); ++i) {
      const Index next = begin_[size_of(expert_[size_of(i)])]++;
      slot_[size_of(i)] = next;
      token_[size_of(next)] = i / shape_.meetings();
    }
    for (std::size_t e = begin_.size() - 1; e > 0; --e) {  // the loop above moved each to its end
      begin_[e] = begin_[e - 1];
    }
    begin_[0] = 0;
    tasks_.clear();
    for (Index e = shape_.all_experts() - 1; e >= 0;
         --e) {  // shared experts first: they have the most work
      for (Index i = begin(e); i < begin(e + 1); i += rows) {
        tasks_.push_back({e, i, std::min(i + rows, begin(e + 1))});
      }
    }
  }

 private:
  static constexpr Index rows = 128;  // slots of one expert per task

  static std::size_t size_of(Index i) { return static_cast<std::size_t>(i); }

  MixtureShape shape_;
  std::vector<Index> expert_;  // (tokens, meetings): expert of each slot of a token
  std::vector<Index> slot_;    // (tokens, meetings): positions of these slots
  std::vector<Index> token_;   // (slots): token of each slot
  std::vector<Index> begin_;   // (all experts + 1)
  std::vector<Task> tasks_;
};

}  // namespace language_model
