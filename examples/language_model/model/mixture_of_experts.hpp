// SPDX-License-Identifier: MIT
// Mixture of experts as in DeepSeek-V3, including its RMSNorm.
//
//   a    = rms_norm(u)                                      (tokens, C)
//   s    = sigmoid(a W_r^T)                                 (tokens, experts): affinities
//   K_t  = the k experts of largest s_te + bias_e           bias affects only this choice
//   g_te = s_te / sum over K_t of s_t                       gates
//   out  = sum over the shared of F_e(a) + sum over e in K_t of g_te F_e(a)
//   F(a) = W_down (silu(z_gate) * z_up),  [z_gate; z_up] = W_in a         see swiglu.hpp
//
// The load is balanced without an auxiliary loss: after each step every bias moves by a fixed rate
// towards the mean load (balance()).
//
// The shared experts have the indices experts .. experts + shared - 1 and gate 1. Without routed
// experts (experts = k = 0) one shared expert is an ordinary feed-forward layer.
//
// Source: DeepSeek-AI, arXiv:2412.19437, section 2.1.2; the balance: arXiv:2408.15664.
#pragma once

#include <algorithm>
#include <vector>

#include "expert_slots.hpp"
#include "linear.hpp"
#include "rms_norm.hpp"
#include "swiglu.hpp"

namespace language_model {

template <class Scalar>
class MixtureOfExperts {
 public:
  using Shape = MixtureShape;

  // Views into an arena; gradients have the same type.
  struct Parameters {
    VectorMap<Scalar> norm;    // (C)
    MatrixMap<Scalar> router;  // (experts, C): W_r
    MatrixMap<Scalar> in;      // (all experts * 2H, C): W_in of each expert, the shared last
    MatrixMap<Scalar> down;    // (all experts * C, H): W_down likewise

    Parameters(Scalar* data, const MixtureShape& shape) : Parameters(Carve<Scalar>(data), shape) {}
    static Index size(const MixtureShape& shape) {
      const Index expert = 3 * shape.hidden * shape.channels;
      return norms(shape) + shape.experts * shape.channels + shape.all_experts() * expert;
    }
    // The number of norm weights, which come first.
    static Index norms(const MixtureShape& shape) { return shape.channels; }

    // f(matrix, writes): `writes` marks the sublayer's output matrices.
    template <class F>
    void each_matrix(F&& f) {
      f(router, false);
      f(in, false);
      f(down, true);
    }

   private:
    Parameters(Carve<Scalar> carve, const MixtureShape& shape)
        : norm(carve.vector(shape.channels)),
          router(carve.matrix(shape.experts, shape.channels)),
          in(carve.matrix(shape.all_experts() * 2 * shape.hidden, shape.channels)),
          down(carve.matrix(shape.all_experts() * shape.channels, shape.hidden)) {}
  };

  // What the forward keeps for the backward. The backward's gradients have the same type, of which
  // they use the matrices.
  struct Saved {
    Vector<Scalar> inverse_rms;  // (tokens)
    Matrix<Scalar> normalized;   // (tokens, C): a
    Matrix<Scalar> affinity;     // (tokens, experts): s; its gradient before the sigmoid
    Matrix<Scalar> gate;         // (tokens, k + shared): g, the last are 1
    Matrix<Scalar> input;        // (slots, C): a of the slot's token
    Matrix<Scalar> inner;        // (slots, 2H): z_gate, z_up
    Matrix<Scalar> hidden;       // (slots, H): silu(z_gate) * z_up
    Matrix<Scalar> output;       // (slots, C): F_e(a)
    ExpertSlots slots;

    Saved(const MixtureShape& shape, Index tokens)
        : inverse_rms(tokens),
          normalized(tokens, shape.channels),
          affinity(tokens, shape.experts),
          gate(tokens, shape.meetings()),
          input(shape.slots(tokens), shape.channels),
          inner(shape.slots(tokens), 2 * shape.hidden),
          hidden(shape.slots(tokens), shape.hidden),
          output(shape.slots(tokens), shape.channels),
          slots(shape, tokens) {}

    Index load(Index e) const { return slots.load(e); }
  };

  explicit MixtureOfExperts(const MixtureShape& shape) : shape_(shape) {}

  // Keeps everything in `saved`.
  template <class Executor>
  void forward(const Parameters& weights, const Eigen::Ref<const Vector<float>>& bias,
               const ConstRows<Scalar>& u, Rows<Scalar> out, Saved& saved,
               const Executor& exec) const {
    const Index tokens = u.rows();
    exec(tokens, token_rows, [&](Index begin, Index end, int) {
      const Index rows = end - begin;
      rms_norm_forward<Scalar>(u.middleRows(begin, rows), weights.norm,
                               saved.normalized.middleRows(begin, rows),
                               saved.inverse_rms.segment(begin, rows));
      auto affinity = saved.affinity.middleRows(begin, rows);
      multiply_transposed<Scalar>(saved.normalized.middleRows(begin, rows), weights.router,
                                  affinity);
      affinity = (Scalar(1) + (-affinity.array()).exp()).inverse();
      for (Index t = begin; t < end; ++t) {
        choose(bias, t, saved);
      }
    });
    saved.slots.sort(tokens);
    exec(static_cast<Index>(saved.slots.tasks().size()), 1, [&](Index first, Index last, int) {
      for (Index i = first; i < last; ++i) {
        expert_forward(weights, saved.slots.tasks()[size_of(i)], saved);
      }
    });
    exec(tokens, token_rows, [&](Index begin, Index end, int) {
      for (Index t = begin; t < end; ++t) {
        out.row(t).setZero();
        for (Index j = 0; j < shape_.meetings(); ++j) {
          out.row(t) += saved.gate(t, j) * saved.output.row(saved.slots.slot(t, j));
        }
      }
    });
  }

  // du is assigned, dweights are added to; dsaved is scratch of the same shape as saved.
  template <class Executor>
  void backward(const Parameters& weights, const ConstRows<Scalar>& u, const Saved& saved,
                const ConstRows<Scalar>& dout, Saved& dsaved, Rows<Scalar> du, Parameters& dweights,
                const Executor& exec) const {
    const Index tokens = u.rows();
    exec(tokens, token_rows, [&](Index begin, Index end, int) {
      for (Index t = begin; t < end; ++t) {
        for (Index j = 0; j < shape_.meetings(); ++j) {
          const Index at = saved.slots.slot(t, j);
          dsaved.gate(t, j) = (dout.row(t).array() * saved.output.row(at).array()).sum();
          dsaved.output.row(at) = saved.gate(t, j) * dout.row(t);
        }
        choose_backward(t, saved, dsaved);
      }
    });
    exec(static_cast<Index>(saved.slots.tasks().size()), 1, [&](Index first, Index last, int) {
      for (Index i = first; i < last; ++i) {
        expert_backward(weights, saved.slots.tasks()[size_of(i)], saved, dsaved);
      }
    });
    add_expert_weight_gradients(saved, dsaved, dweights, exec);
    exec(tokens, token_rows, [&](Index begin, Index end, int) {
      const Index rows = end - begin;
      auto dnormalized = dsaved.normalized.middleRows(begin, rows);
      multiply<Scalar>(dsaved.affinity.middleRows(begin, rows), weights.router, dnormalized);
      for (Index t = begin; t < end; ++t) {
        for (Index j = 0; j < shape_.meetings(); ++j) {
          dsaved.normalized.row(t) += dsaved.input.row(saved.slots.slot(t, j));
        }
      }
      rms_norm_backward<Scalar>(dnormalized, u.middleRows(begin, rows), weights.norm,
                                saved.inverse_rms.segment(begin, rows), du.middleRows(begin, rows));
    });
    add_weight_gradient<Scalar>(dsaved.affinity.topRows(tokens), saved.normalized.topRows(tokens),
                                dweights.router, exec);
    rms_norm_add_weight_gradient<Scalar>(dsaved.normalized.topRows(tokens), u,
                                         saved.inverse_rms.head(tokens), dweights.norm);
  }

  // The number of tokens of each routed expert.
  std::vector<Index> loads(const Saved& saved) const {
    std::vector<Index> loads(size_of(shape_.experts));
    for (Index e = 0; e < shape_.experts; ++e) loads[size_of(e)] = saved.slots.load(e);
    return loads;
  }

  // bias_e += rate * sign(mean load - load_e)
  void balance(const Saved& saved, float rate, Eigen::Ref<Vector<float>> bias) const {
    const Index routed = saved.slots.begin(shape_.experts);
    for (Index e = 0; e < shape_.experts; ++e) {
      const Index excess = saved.slots.load(e) * shape_.experts - routed;
      bias(e) += excess < 0 ? rate : excess > 0 ? -rate : 0.0F;
    }
  }

 private:
  static constexpr Index token_rows = 64;  // per task

  static std::size_t size_of(Index i) { return static_cast<std::size_t>(i); }

  // The k largest of s + bias, lower indices first among equals, and their gates.
  void choose(const Eigen::Ref<const Vector<float>>& bias, Index t, Saved& saved) const {
    Index* const expert = saved.slots.experts_of(t);
    Scalar sum(0);
    for (Index j = 0; j < shape_.top_k; ++j) {
      Index best = -1;
      double best_score = 0;
      for (Index e = 0; e < shape_.experts; ++e) {
        const double score = static_cast<double>(Eigen::numext::real(saved.affinity(t, e))) +
                             static_cast<double>(bias(e));
        // Written so that a NaN still leaves k different experts.
        if (std::find(expert, expert + j, e) == expert + j && (best < 0 || score > best_score)) {
          best = e;
          best_score = score;
        }
      }
      expert[j] = best;
      sum += saved.affinity(t, best);
    }
    for (Index j = 0; j < shape_.top_k; ++j) {
      saved.gate(t, j) = saved.affinity(t, expert[j]) / sum;
    }
    saved.gate.row(t).tail(shape_.shared).setOnes();
  }

  // With S = sum over K_t of s:  ds_e = (dg_e - sum of dg * g) / S,  dz_e = ds_e s_e (1 - s_e).
  // The choice is piecewise constant: experts not chosen get zero.
  void choose_backward(Index t, const Saved& saved, Saved& dsaved) const {
    const Index* const expert = saved.slots.experts_of(t);
    Scalar sum(0), mean(0);
    for (Index j = 0; j < shape_.top_k; ++j) {
      sum += saved.affinity(t, expert[j]);
      mean += dsaved.gate(t, j) * saved.gate(t, j);
    }
    dsaved.affinity.row(t).setZero();
    for (Index j = 0; j < shape_.top_k; ++j) {
      const Scalar s = saved.affinity(t, expert[j]);
      dsaved.affinity(t, expert[j]) = (dsaved.gate(t, j) - mean) / sum * s * (Scalar(1) - s);
    }
  }

  auto weights_in(const Parameters& weights, Index e) const {
    return weights.in.middleRows(e * 2 * shape_.hidden, 2 * shape_.hidden);
  }
  auto weights_down(const Parameters& weights, Index e) const {
    return weights.down.middleRows(e * shape_.channels, shape_.channels);
  }

  void expert_forward(const Parameters& weights, const ExpertSlots::Task& task,
                      Saved& saved) const {
    const Index rows = task.end - task.begin;
    auto input = saved.input.middleRows(task.begin, rows);
    auto inner = saved.inner.middleRows(task.begin, rows);
    auto hidden = saved.hidden.middleRows(task.begin, rows);
    for (Index i = 0; i < rows; ++i) {
      input.row(i) = saved.normalized.row(saved.slots.token(task.begin + i));
    }
    multiply_transposed<Scalar>(input, weights_in(weights, task.expert), inner);
    swiglu_forward<Scalar>(inner, hidden);
    multiply_transposed<Scalar>(hidden, weights_down(weights, task.expert),
                                saved.output.middleRows(task.begin, rows));
  }

  void expert_backward(const Parameters& weights, const ExpertSlots::Task& task, const Saved& saved,
                       Saved& dsaved) const {
    const Index rows = task.end - task.begin;
    auto dhidden = dsaved.hidden.middleRows(task.begin, rows);
    auto dinner = dsaved.inner.middleRows(task.begin, rows);
    multiply<Scalar>(dsaved.output.middleRows(task.begin, rows), weights_down(weights, task.expert),
                     dhidden);
    swiglu_backward<Scalar>(dhidden, saved.inner.middleRows(task.begin, rows), dinner);
    multiply<Scalar>(dinner, weights_in(weights, task.expert),
                     dsaved.input.middleRows(task.begin, rows));
  }

  // dW_in += dz^T a and dW_down += dF^T hidden, weight_rows outputs of an expert at a time.
  template <class Executor>
  void add_expert_weight_gradients(const Saved& saved, const Saved& dsaved, Parameters& dweights,
                                   const Executor& exec) const {
    const Index in_pieces = (2 * shape_.hidden + weight_rows - 1) / weight_rows;
    const Index down_pieces = (shape_.channels + weight_rows - 1) / weight_rows;
    const Index pieces = in_pieces + down_pieces;
    exec(shape_.all_experts() * pieces, 1, [&](Index first, Index last, int) {
      for (Index i = first; i < last; ++i) {
        const Index e = shape_.all_experts() - 1 - i / pieces;  // the shared first
        const Index begin = saved.slots.begin(e);
        const Index rows = saved.slots.load(e);
        const bool is_in = i % pieces < in_pieces;
        const Index output = (is_in ? i % pieces : i % pieces - in_pieces) * weight_rows;
        if (is_in) {
          const Index size = std::min(weight_rows, 2 * shape_.hidden - output);
          add_transposed_multiply<Scalar>(
              dsaved.inner.block(begin, output, rows, size), saved.input.middleRows(begin, rows),
              dweights.in.middleRows(e * 2 * shape_.hidden + output, size));
        } else {
          const Index size = std::min(weight_rows, shape_.channels - output);
          add_transposed_multiply<Scalar>(
              dsaved.output.block(begin, output, rows, size), saved.hidden.middleRows(begin, rows),
              dweights.down.middleRows(e * shape_.channels + output, size));
        }
      }
    });
  }

  MixtureShape shape_;
};

}  // namespace language_model
