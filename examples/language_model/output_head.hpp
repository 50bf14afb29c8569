// SPDX-License-Identifier: MIT
// From the streams to the next byte:
//
//   h      = collapse(x)                                   (tokens, C)
//   p      = softmax(W rms_norm(h))                        (tokens, 256)
//   loss_t = -log p_t[target_t]                            (tokens), in nats
//
// W is passed in, since several heads may share it; the collapse and the norm are the head's own.
#pragma once

#include <cstdint>
#include <memory>

#include <mhc/storage.hpp>
#include <mhc/view.hpp>

#include "arena.hpp"
#include "model/cross_entropy.hpp"
#include "model/instances.hpp"
#include "model/linear.hpp"
#include "model/rms_norm.hpp"
#include "parallel.hpp"
#include "residual_parts.hpp"
#include "weights.hpp"

namespace language_model {

template <class Scalar = float>
class OutputHead {
 public:
  using Parts = CollapseParts<Scalar>;

  // Scratch of logits().
  struct Workspace {
    explicit Workspace(const OutputHead& head)
        : collapsed(1, head.normalized_.cols()),
          normalized(head.normalized_.cols()),
          inverse_rms(1),
          scratch(head.collapse_->scratch(1)) {}
    mhc::Tokens<Scalar> collapsed;
    Vector<Scalar> normalized, inverse_rms;
    std::unique_ptr<typename Collapse<Scalar>::Scratch> scratch;
  };

  static Index parameter_count(const Parts& parts, Index channels) {
    return channels + parts.parameter_count(channels);
  }

  // `output` (256, C) must outlive the head.
  OutputHead(const Parts& parts, BasicArena<Scalar>& arena, WeightMatrix<Scalar>& output,
             Index channels, Index tokens)
      : output_(output),
        norm_(arena, channels),
        collapse_(parts.make(arena, channels, tokens)),
        collapsed_(tokens, channels),
        normalized_(tokens, channels),
        inverse_rms_(tokens),
        probabilities_(tokens, vocabulary),
        losses_(tokens),
        dcollapsed_(tokens, channels),
        dnormalized_(tokens, channels) {}

  void initialize(std::uint64_t seed) {
    norm_.values.setOnes();
    collapse_->initialize(seed);
  }

  // Keeps the probabilities and the losses. The backward needs x again.
  void forward(mhc::StreamView<const Scalar> x, const std::uint8_t* targets,
               const Workers& workers) {
    const Index tokens = x.tokens;
    const auto collapsed = collapsed_.view().slice(0, tokens);
    collapse_->forward(x, collapsed, workers);
    workers(tokens, head_rows, [&](Index begin, Index end, int) {
      rms_norm_forward<Scalar>(collapsed.matrix().middleRows(begin, end - begin), norm_.values,
                               normalized_.middleRows(begin, end - begin),
                               inverse_rms_.segment(begin, end - begin));
    });
    logits_forward<Scalar>(output_.values, normalized_.topRows(tokens),
                           probabilities_.topRows(tokens), workers);
    cross_entropy_forward<Scalar>(probabilities_.topRows(tokens), targets, losses_.head(tokens),
                                  workers);
  }

  // Of one token: z (256) = W rms_norm(collapse(x)). Keeps nothing.
  void logits(mhc::StreamView<const Scalar> x, Vector<Scalar>& z, Workspace& space,
              const Workers& workers) const {
    collapse_->apply(x, space.collapsed.view(), *space.scratch, workers);
    rms_norm_forward<Scalar>(space.collapsed.view().matrix(), norm_.values, space.normalized,
                             space.inverse_rms);
    logits_forward<Scalar>(output_.values, space.normalized, z, workers);
  }

  // dlosses: the gradient of each token's loss. dx is assigned; the probabilities are overwritten.
  void backward(mhc::StreamView<const Scalar> x, const std::uint8_t* targets,
                const Vector<Scalar>& dlosses, mhc::StreamView<Scalar> dx, const Workers& workers) {
    const Index tokens = x.tokens;
    const auto collapsed = collapsed_.view().slice(0, tokens);
    const auto dcollapsed = dcollapsed_.view().slice(0, tokens);
    cross_entropy_backward<Scalar>(dlosses, output_.values, normalized_.topRows(tokens), targets,
                                   probabilities_.topRows(tokens), dnormalized_.topRows(tokens),
                                   output_.gradients, workers);
    rms_norm_add_weight_gradient<Scalar>(dnormalized_.topRows(tokens), collapsed.matrix(),
                                         inverse_rms_.head(tokens), norm_.gradients);
    workers(tokens, head_rows, [&](Index begin, Index end, int) {
      const Index rows = end - begin;
      rms_norm_backward<Scalar>(dnormalized_.middleRows(begin, rows),
                                collapsed.matrix().middleRows(begin, rows), norm_.values,
                                inverse_rms_.segment(begin, rows),
                                dcollapsed.matrix().middleRows(begin, rows));
    });
    collapse_->backward(x, dcollapsed, dx, workers);
  }

  // Of the last forward; the probabilities only before its backward.
  const Vector<Scalar>& losses() const { return losses_; }
  const Matrix<Scalar>& probabilities() const { return probabilities_; }

 private:
  WeightMatrix<Scalar>& output_;
  NormWeight<Scalar> norm_;
  std::unique_ptr<Collapse<Scalar>> collapse_;

  mhc::Tokens<Scalar> collapsed_;
  Matrix<Scalar> normalized_;  // rms_norm(collapsed)
  Vector<Scalar> inverse_rms_;
  Matrix<Scalar> probabilities_;  // (tokens, 256)
  Vector<Scalar> losses_;
  mhc::Tokens<Scalar> dcollapsed_;
  Matrix<Scalar> dnormalized_;
};

}  // namespace language_model
