// SPDX-License-Identifier: MIT
// Mixture of experts in the manner of DeepSeek-V3; its RMSNorm stands inside.
//
//   a    = rms_norm(u)                                      (tokens, C)
//   s    = sigmoid(a W_r^T)                                 (tokens, experts): affinities
//   K_t  = the k experts of largest s_te + bias_e           bias chooses, and does nothing else
//   g_te = s_te / sum over K_t of s_t                       gates
//   out  = F_shared(a) + sum over e in K_t of g_te F_e(a)   (tokens, C)
//   F(a) = W_down (silu(z_gate) * z_up),  [z_gate; z_up] = W_in a,  silu(z) = z sigmoid(z)
//
// No auxiliary loss keeps the load even: after each step every bias moves by a fixed rate towards
// the mean load (balance()), without a gradient.
//
// A token and one of its experts meet in a *slot*. Slots are sorted by expert, so an expert's work
// is a dense product over neighbouring rows. The shared expert is expert number `experts`: every
// token's last slot is there, with gate 1.
//
// Source: DeepSeek-AI, arXiv:2412.19437, section 2.1.2.
#pragma once

#include <algorithm>
#include <vector>

#include "linear.hpp"
#include "rms_norm.hpp"

namespace language_model {

struct MixtureShape {
  index channels;  // C
  index experts;   // routed
  index top_k;     // k
  index hidden;    // H, inner width of an expert
  index slots(index tokens) const { return tokens * (top_k + 1); }
};

template <class Scalar>
class MixtureOfExperts {
 public:
  // Views into an arena; gradients are the same type.
  struct Parameters {
    VectorMap<Scalar> norm;    // (C)
    MatrixMap<Scalar> router;  // (experts, C): W_r
    MatrixMap<Scalar> in;      // ((experts + 1) * 2H, C): W_in of each expert, then of the shared
    MatrixMap<Scalar> down;    // ((experts + 1) * C, H): W_down likewise

    Parameters(Scalar* data, const MixtureShape& shape) : Parameters(Carve<Scalar>(data), shape) {}
    static index size(const MixtureShape& shape) {
      const index expert = 3 * shape.hidden * shape.channels;
      return norms(shape) + shape.experts * shape.channels + (shape.experts + 1) * expert;
    }
    // The norm comes first, so many numbers.
    static index norms(const MixtureShape& shape) { return shape.channels; }

    // f(matrix, writes): `writes` marks those whose outputs are the sublayer's.
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
          in(carve.matrix((shape.experts + 1) * 2 * shape.hidden, shape.channels)),
          down(carve.matrix((shape.experts + 1) * shape.channels, shape.hidden)) {}
  };

  // One expert and some of its slots: a task.
  struct Task {
    index expert, begin, end;
  };

  // What the forward keeps for the backward. The backward's own gradients are the same type; of it
  // they use the matrices.
  struct Saved {
    Vector<Scalar> inverse_rms;       // (tokens)
    Matrix<Scalar> normalized;        // (tokens, C): a
    Matrix<Scalar> affinity;          // (tokens, experts): s; its gradient before the sigmoid
    Matrix<Scalar> gate;              // (tokens, k + 1): g, the last is 1
    Matrix<Scalar> input;             // (slots, C): a of the slot's token
    Matrix<Scalar> inner;             // (slots, 2H): z_gate, z_up
    Matrix<Scalar> hidden;            // (slots, H): silu(z_gate) * z_up
    Matrix<Scalar> output;            // (slots, C): F_e(a)
    std::vector<index> expert;        // (tokens, k + 1): e of the token's slots
    std::vector<index> slot;          // (tokens, k + 1): where they are
    std::vector<index> token;         // (slots): whose slot it is
    std::vector<index> expert_begin;  // (experts + 2): expert e owns the slots from here to next
    std::vector<Task> tasks;

    Saved(const MixtureShape& shape, index tokens)
        : inverse_rms(tokens),
          normalized(tokens, shape.channels),
          affinity(tokens, shape.experts),
          gate(tokens, shape.top_k + 1),
          input(shape.slots(tokens), shape.channels),
          inner(shape.slots(tokens), 2 * shape.hidden),
          hidden(shape.slots(tokens), shape.hidden),
          output(shape.slots(tokens), shape.channels),
          expert(size_of(shape.slots(tokens))),
          slot(size_of(shape.slots(tokens))),
          token(size_of(shape.slots(tokens))),
          expert_begin(size_of(shape.experts + 2)) {
      tasks.reserve(size_of(shape.slots(tokens) / slot_rows + shape.experts + 1));
    }

    index load(index e) const { return expert_begin[size_of(e + 1)] - expert_begin[size_of(e)]; }
  };

  explicit MixtureOfExperts(const MixtureShape& shape) : shape_(shape) {}

  // Keeps everything in `saved`.
  template <class Executor>
  void forward(const Parameters& weights, const Eigen::Ref<const Vector<float>>& bias,
               const ConstRows<Scalar>& u, Rows<Scalar> out, Saved& saved,
               const Executor& exec) const {
    const index tokens = u.rows();
    exec(tokens, token_rows, [&](index begin, index end, int) {
      const index rows = end - begin;
      rms_norm_forward<Scalar>(u.middleRows(begin, rows), weights.norm,
                               saved.normalized.middleRows(begin, rows),
                               saved.inverse_rms.segment(begin, rows));
      auto affinity = saved.affinity.middleRows(begin, rows);
      multiply_transposed<Scalar>(saved.normalized.middleRows(begin, rows), weights.router,
                                  affinity);
      affinity = (Scalar(1) + (-affinity.array()).exp()).inverse();
      for (index t = begin; t < end; ++t) {
        choose(bias, t, saved);
      }
    });
    sort_by_expert(tokens, saved);
    exec(static_cast<index>(saved.tasks.size()), 1, [&](index first, index last, int) {
      for (index i = first; i < last; ++i) {
        expert_forward(weights, saved.tasks[size_of(i)], saved);
      }
    });
    exec(tokens, token_rows, [&](index begin, index end, int) {
      for (index t = begin; t < end; ++t) {
        out.row(t).setZero();
        for (index j = 0; j <= shape_.top_k; ++j) {
          out.row(t) += saved.gate(t, j) * saved.output.row(slot(saved, t, j));
        }
      }
    });
  }

  // du is assigned, dweights are added to; dsaved is scratch of the same shape as saved.
  template <class Executor>
  void backward(const Parameters& weights, const ConstRows<Scalar>& u, const Saved& saved,
                const ConstRows<Scalar>& dout, Saved& dsaved, Rows<Scalar> du, Parameters& dweights,
                const Executor& exec) const {
    const index tokens = u.rows();
    exec(tokens, token_rows, [&](index begin, index end, int) {
      for (index t = begin; t < end; ++t) {
        for (index j = 0; j <= shape_.top_k; ++j) {
          const index at = slot(saved, t, j);
          dsaved.gate(t, j) = (dout.row(t).array() * saved.output.row(at).array()).sum();
          dsaved.output.row(at) = saved.gate(t, j) * dout.row(t);
        }
        choose_backward(t, saved, dsaved);
      }
    });
    exec(static_cast<index>(saved.tasks.size()), 1, [&](index first, index last, int) {
      for (index i = first; i < last; ++i) {
        expert_backward(weights, saved.tasks[size_of(i)], saved, dsaved);
      }
    });
    add_expert_weight_gradients(saved, dsaved, dweights, exec);
    exec(tokens, token_rows, [&](index begin, index end, int) {
      const index rows = end - begin;
      auto dnormalized = dsaved.normalized.middleRows(begin, rows);
      multiply<Scalar>(dsaved.affinity.middleRows(begin, rows), weights.router, dnormalized);
      for (index t = begin; t < end; ++t) {
        for (index j = 0; j <= shape_.top_k; ++j) {
          dsaved.normalized.row(t) += dsaved.input.row(slot(saved, t, j));
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

  // bias_e += rate * sign(mean load - load_e)
  void balance(const Saved& saved, float rate, Eigen::Ref<Vector<float>> bias) const {
    const index routed = saved.expert_begin[size_of(shape_.experts)];
    for (index e = 0; e < shape_.experts; ++e) {
      const index excess = saved.load(e) * shape_.experts - routed;
      bias(e) += excess < 0 ? rate : excess > 0 ? -rate : 0.0F;
    }
  }

 private:
  // Tokens, and slots of one expert, that one task takes.
  static constexpr index token_rows = 64;
  static constexpr index slot_rows = 128;

  static std::size_t size_of(index i) { return static_cast<std::size_t>(i); }
  index at(index t, index j) const { return t * (shape_.top_k + 1) + j; }
  index slot(const Saved& saved, index t, index j) const { return saved.slot[size_of(at(t, j))]; }

  // The k largest of s + bias, first come first served among equals, and their gates.
  void choose(const Eigen::Ref<const Vector<float>>& bias, index t, Saved& saved) const {
    index* const expert = &saved.expert[size_of(at(t, 0))];
    Scalar sum(0);
    for (index j = 0; j < shape_.top_k; ++j) {
      index best = -1;
      double best_score = 0;
      for (index e = 0; e < shape_.experts; ++e) {
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
    expert[shape_.top_k] = shape_.experts;
    for (index j = 0; j < shape_.top_k; ++j) {
      saved.gate(t, j) = saved.affinity(t, expert[j]) / sum;
    }
    saved.gate(t, shape_.top_k) = Scalar(1);
  }

  // With S = sum over K_t of s:  ds_e = (dg_e - sum of dg * g) / S,  dz_e = ds_e s_e (1 - s_e).
  // The choice is piecewise constant: experts that were not chosen get zero.
  void choose_backward(index t, const Saved& saved, Saved& dsaved) const {
    const index* const expert = &saved.expert[size_of(at(t, 0))];
    Scalar sum(0), mean(0);
    for (index j = 0; j < shape_.top_k; ++j) {
      sum += saved.affinity(t, expert[j]);
      mean += dsaved.gate(t, j) * saved.gate(t, j);
    }
    dsaved.affinity.row(t).setZero();
    for (index j = 0; j < shape_.top_k; ++j) {
      const Scalar s = saved.affinity(t, expert[j]);
      dsaved.affinity(t, expert[j]) = (dsaved.gate(t, j) - mean) / sum * s * (Scalar(1) - s);
    }
  }

  // A counting sort: slots by expert, within an expert by token. Then cuts them into tasks.
  void sort_by_expert(index tokens, Saved& saved) const {
    auto& begin = saved.expert_begin;
    std::fill(begin.begin(), begin.end(), 0);
    for (index i = 0; i < shape_.slots(tokens); ++i) {
      ++begin[size_of(saved.expert[size_of(i)] + 1)];
    }
    for (std::size_t e = 1; e < begin.size(); ++e) {
      begin[e] += begin[e - 1];
    }
    for (index t = 0; t < tokens; ++t) {
      for (index j = 0; j <= shape_.top_k; ++j) {
        const index next = begin[size_of(saved.expert[size_of(at(t, j))])]++;
        saved.slot[size_of(at(t, j))] = next;
        saved.token[size_of(next)] = t;
      }
    }
    for (std::size_t e = begin.size() - 1; e > 0; --e) {  // the loop above moved each to its end
      begin[e] = begin[e - 1];
    }
    begin[0] = 0;
    saved.tasks.clear();
    for (index e = shape_.experts; e >= 0; --e) {  // the shared one has most to do: first
      const index last = begin[size_of(e + 1)];
      for (index i = begin[size_of(e)]; i < last; i += slot_rows) {
        saved.tasks.push_back({e, i, std::min(i + slot_rows, last)});
      }
    }
  }

  auto weights_in(const Parameters& weights, index e) const {
    return weights.in.middleRows(e * 2 * shape_.hidden, 2 * shape_.hidden);
  }
  auto weights_down(const Parameters& weights, index e) const {
    return weights.down.middleRows(e * shape_.channels, shape_.channels);
  }

  void expert_forward(const Parameters& weights, const Task& task, Saved& saved) const {
    const index rows = task.end - task.begin;
    auto input = saved.input.middleRows(task.begin, rows);
    auto inner = saved.inner.middleRows(task.begin, rows);
    auto hidden = saved.hidden.middleRows(task.begin, rows);
    for (index i = 0; i < rows; ++i) {
      input.row(i) = saved.normalized.row(saved.token[size_of(task.begin + i)]);
    }
    multiply_transposed<Scalar>(input, weights_in(weights, task.expert), inner);
    const auto gate = inner.leftCols(shape_.hidden).array();
    const auto up = inner.rightCols(shape_.hidden).array();
    hidden.array() = gate / (Scalar(1) + (-gate).exp()) * up;
    multiply_transposed<Scalar>(hidden, weights_down(weights, task.expert),
                                saved.output.middleRows(task.begin, rows));
  }

  // With y = sigmoid(z):  silu'(z) = y (1 + z (1 - y)).
  void expert_backward(const Parameters& weights, const Task& task, const Saved& saved,
                       Saved& dsaved) const {
    const index rows = task.end - task.begin;
    auto dhidden = dsaved.hidden.middleRows(task.begin, rows);
    auto dinner = dsaved.inner.middleRows(task.begin, rows);
    multiply<Scalar>(dsaved.output.middleRows(task.begin, rows), weights_down(weights, task.expert),
                     dhidden);
    const index H = shape_.hidden;
    for (index i = 0; i < rows; ++i) {
      const auto gate = saved.inner.row(task.begin + i).head(H).array();
      const auto up = saved.inner.row(task.begin + i).tail(H).array();
      auto dgate = dinner.row(i).head(H).array();
      auto dup = dinner.row(i).tail(H).array();
      const auto dh = dhidden.row(i).array();
      dup = (Scalar(1) + (-gate).exp()).inverse();  // y, until dup itself is known
      dgate = dh * up * dup * (Scalar(1) + gate * (Scalar(1) - dup));
      dup *= dh * gate;
    }
    multiply<Scalar>(dinner, weights_in(weights, task.expert),
                     dsaved.input.middleRows(task.begin, rows));
  }

  // dW_in += dz^T a and dW_down += dF^T hidden, weight_rows outputs of an expert at a time.
  template <class Executor>
  void add_expert_weight_gradients(const Saved& saved, const Saved& dsaved, Parameters& dweights,
                                   const Executor& exec) const {
    const index in_pieces = (2 * shape_.hidden + weight_rows - 1) / weight_rows;
    const index down_pieces = (shape_.channels + weight_rows - 1) / weight_rows;
    const index pieces = in_pieces + down_pieces;
    exec((shape_.experts + 1) * pieces, 1, [&](index first, index last, int) {
      for (index i = first; i < last; ++i) {
        const index e = shape_.experts - i / pieces;  // the shared one first
        const index begin = saved.expert_begin[size_of(e)];
        const index rows = saved.load(e);
        const bool is_in = i % pieces < in_pieces;
        const index output = (is_in ? i % pieces : i % pieces - in_pieces) * weight_rows;
        if (is_in) {
          const index size = std::min(weight_rows, 2 * shape_.hidden - output);
          add_transposed_multiply<Scalar>(
              dsaved.inner.block(begin, output, rows, size), saved.input.middleRows(begin, rows),
              dweights.in.middleRows(e * 2 * shape_.hidden + output, size));
        } else {
          const index size = std::min(weight_rows, shape_.channels - output);
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
