// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/aggregate.hpp>
#include <mhc/merge.hpp>
#include <mhc/site.hpp>

MHC_NAMESPACE_BEGIN

template <class Block>
struct Activations;

/// A site of the residual streams around one sublayer F, attention or MoE, that stays as it is:
///
///   (pre, post, res) = mappings of x      u  = pre x             prepare
///   v = F(u)                                                     yours
///                                         x' = res x + post^T v  finish
///
///   x, x' (tokens, N, C)    u, v (tokens, C)    N streams, C channels
///
///   block.prepare(x, u, saved);                                            // x -> u
///   attention.forward(u, v);
///   block.finish(x, v, saved, x_next);                                     // v -> x_next
///
///   block.finish_backward(x, v, saved, dx_next, dv, dsaved);               // dx_next -> dv
///   attention.backward(dv, du);
///   block.prepare_backward(x, saved, dx_next, du, dsaved, dx, grads);      // du -> dx, grads
///
/// One order everywhere: what the forward read, the gradients that come in, what is written.
///
/// `Connection` is the one word that switches a model: ManifoldConstrained (mHC), HyperConnections,
/// OrdinaryResidual or another of connection.hpp. The guarantees of all calls:
///
///   - no allocation, no thread of our own; const, hence one block may serve many threads;
///   - a token's result does not depend, not by one bit, on its batch, on how the executor splits,
///     or on whether `saved` was kept or computed again; neither do the parameters' gradients;
///   - a NaN or an infinity in one token stays in that token (and in the parameters' gradients);
///   - zero tokens is valid; C >= 1; activations are assigned, parameters' gradients accumulate;
///   - wrong shapes, overlapping memory and null pointers throw std::invalid_argument, and then
///     nothing is written.
///
/// Results differ between instruction sets by rounding. Source: arXiv:2512.24880, eqs. (3),
/// (7)-(9).
template <int N, class Element = float, class Connection = ManifoldConstrained>
class Block : public ReadingSite<N, Element, Connection> {
  using Base = ReadingSite<N, Element, Connection>;
  using Kernels = typename Base::Kernels;

 public:
  using ElementType = Element;
  using ConnectionType = Connection;
  using Scalar = typename Base::Scalar;
  using Options = typename Base::Options;
  using ParametersView = typename Base::ParametersView;
  using ConstParametersView = typename Base::ConstParametersView;
  using SavedView = typename Base::SavedView;
  using ConstSavedView = typename Base::ConstSavedView;

  /// Keeps a view of `parameters`, which must outlive the block. Throws for options out of range.
  explicit Block(ConstParametersView parameters, const Options& options = Options())
      : Base("Block", parameters, options) {}
  /// Parameters that die with the expression would leave the block with a view of dead memory.
  Block(const mhc::Parameters<N, Scalar, Connection>&&, const Options& = Options()) = delete;

  /// The mappings of x into `saved` (assigned) and u = pre x (assigned). With u absent,
  /// `prepare(x, {}, saved)`, the mappings alone: that is how they are computed again for a
  /// backward.
  template <class Executor = Serial>
  void prepare(StreamView<const Element> x, TokenView<Element> u, SavedView saved,
               Executor&& exec = {}) const {
    this->read("Block::prepare", "u", x, u, saved, exec);
  }

  /// The same with phi rounded to bf16, for generating text: what remains to be read of a site is
  /// half as much. alpha, b and the options are those of the block. To the bit the results of a
  /// block of the rounded values; not where the streams are bf16, too, and the instruction set is
  /// avx512_bf16: its vdpbf16ps rounds the sum of two products in its own way and takes subnormal
  /// numbers for zeros, so that their products vanish. The guarantees above hold there as well.
  template <class Executor = Serial>
  void prepare_rounded(StreamView<const Element> x, TokenView<Element> u, SavedView saved,
                       RoundedPhiView<N, Connection> phi, Executor&& exec = {}) const {
    this->read_rounded("Block::prepare_rounded", "u", x, u, saved, phi, exec);
  }

  /// Single-pass mHC (DeepSeek-V4.1): the mappings of x into `saved` (assigned), but u = pre_before
  /// x (assigned) with the pre of the site before, (tokens, N): that site's saved.pre(). The first
  /// site reads with one_hot_pre; the pre of the last one collapses the streams (aggregate.hpp).
  template <class Executor = Serial>
  void prepare_delayed(StreamView<const Element> x, TokenView<const Scalar> pre_before,
                       TokenView<Element> u, SavedView saved, Executor&& exec = {}) const {
    this->read_with("Block::prepare_delayed", "u", x, pre_before, u, saved, exec);
  }

  /// x_next = res x + post^T v (assigned; may be x itself). Reads post and res of `saved`.
  template <class Executor = Serial>
  void finish(StreamView<const Element> x, TokenView<const Element> v, ConstSavedView saved,
              StreamView<Element> x_next, Executor&& exec = {}) const {
    detail::Arguments call("Block::finish");
    writes_next(call, x, v, saved, x_next);
    call.check_memory();
    merge_back(x, v, saved, x_next, exec);
  }

  /// finish(x, v, saved, x_next), then next.prepare(x_next, u, next_saved), tile by tile while
  /// x_next is in the cache: the same results, bit by bit, with x_next read from memory no more.
  /// `next` is the block of the site that follows, of any connection. u may be v itself.
  template <class NextConnection, class Executor = Serial>
  void finish_and_prepare(StreamView<const Element> x, TokenView<const Element> v,
                          ConstSavedView saved, StreamView<Element> x_next,
                          const Block<N, Element, NextConnection>& next, TokenView<Element> u,
                          typename Block<N, Element, NextConnection>::SavedView next_saved,
                          Executor&& exec = {}) const {
    go_on("Block::finish_and_prepare", x, v, saved, x_next, next, next_saved.pre(), u, next_saved,
          exec);
  }

  /// The same for single-pass mHC: next.prepare_delayed(x_next, saved.pre(), u, next_saved).
  template <class NextConnection, class Executor = Serial>
  void finish_and_prepare_delayed(StreamView<const Element> x, TokenView<const Element> v,
                                  ConstSavedView saved, StreamView<Element> x_next,
                                  const Block<N, Element, NextConnection>& next,
                                  TokenView<Element> u,
                                  typename Block<N, Element, NextConnection>::SavedView next_saved,
                                  Executor&& exec = {}) const {
    go_on("Block::finish_and_prepare_delayed", x, v, saved, x_next, next, saved.pre(), u,
          next_saved, exec);
  }

  /// dv = post dx_next (assigned), and in `dsaved` (assigned) the gradients of post and res, with
  /// pre = 0. To put a loss on the mappings themselves, add its gradients to dsaved's pre, post and
  /// res before prepare_backward. With dx_next absent all of these are zero.
  template <class Executor = Serial>
  void finish_backward(StreamView<const Element> x, TokenView<const Element> v,
                       ConstSavedView saved, StreamView<const Element> dx_next,
                       TokenView<Element> dv, SavedView dsaved, Executor&& exec = {}) const {
    detail::Arguments call("Block::finish_backward");
    this->reads_streams(call, "x", x);
    call.reads("v", v, x.channels);
    this->reads_saved(call, "saved", saved);
    call.reads_if("dx_next", dx_next, N, x.channels);
    this->writes_saved(call, "dsaved", dsaved);
    call.writes("dv", dv, x.channels);
    call.check_memory();
    exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
      Kernels::finish_backward(dx_next, x, v, saved, dv, dsaved, begin, end);
    });
  }

  /// dx (assigned; may be dx_next itself), all three of its terms summed before one rounding:
  ///   dx = res^T dx_next + pre^T du + (mappings)
  /// grads += the gradients of phi, alpha and b. Reads dsaved's pre, post and res as cotangents of
  /// the mappings and assigns its inverse_rms, raw and logits. dx_next and du may be absent.
  template <class Executor = Serial>
  void prepare_backward(StreamView<const Element> x, ConstSavedView saved,
                        StreamView<const Element> dx_next, TokenView<const Element> du,
                        SavedView dsaved, StreamView<Element> dx, ParametersView grads,
                        Executor&& exec = {}) const {
    this->read_backward("Block::prepare_backward", "du", x, {saved.pre(), {}}, saved, dx_next, du,
                        dsaved, dx, grads, exec);
  }

  /// What the forward of a single-pass site read: its arguments and its record.
  struct DelayedInputs {
    StreamView<const Element> x;
    TokenView<const Scalar> pre_before;
    ConstSavedView saved;
  };

  /// The backward of prepare_delayed: as prepare_backward with u = pre_before x. `dpre` (tokens, N)
  /// goes down the sites with dx: in, the gradient of this site's pre, which the site after it (or
  /// the collapse) read with; out, that of pre_before, for the site before.
  template <class Executor = Serial>
  void prepare_backward_delayed(const DelayedInputs& inputs, StreamView<const Element> dx_next,
                                TokenView<const Element> du, TokenView<Scalar> dpre,
                                SavedView dsaved, StreamView<Element> dx, ParametersView grads,
                                Executor&& exec = {}) const {
    constexpr const char* here = "Block::prepare_backward_delayed";
    if (!dpre && inputs.x.tokens > 0) detail::refuse(here, "dpre has no data (null pointer)");
    this->read_backward(here, "du", inputs.x, {inputs.pre_before, dpre}, inputs.saved, dx_next, du,
                        dsaved, dx, grads, exec);
  }

  /// The whole site around a callable sublayer(u, v): TokenView<const Element> in,
  /// TokenView<Element> out. `kept` has u, v and saved for the backward; it was sized once for
  /// these tokens.
  template <class Sublayer, class Executor = Serial>
  void forward(StreamView<const Element> x, Sublayer&& sublayer, StreamView<Element> x_next,
               Activations<Block>& kept, Executor&& exec = {}) const {
    prepare(x, kept.u, kept.saved, exec);
    sublayer(TokenView<const Element>(kept.u), TokenView<Element>(kept.v));
    finish(x, kept.v, kept.saved, x_next, exec);
  }

  /// As above; allocates what it needs for the time of the call.
  template <class Sublayer>
  void forward(StreamView<const Element> x, Sublayer&& sublayer, StreamView<Element> x_next) const {
    Activations<Block> kept(x.tokens, x.channels);
    forward(x, sublayer, x_next, kept);
  }

  /// The whole backward around a callable sublayer_backward(dv, du). `x` and `kept` are those of
  /// the forward, whose u and v the sublayer may read again.
  template <class SublayerBackward, class Executor = Serial>
  void backward(StreamView<const Element> x, StreamView<const Element> dx_next,
                SublayerBackward&& sublayer_backward, Activations<Block>& kept,
                StreamView<Element> dx, ParametersView grads, Executor&& exec = {}) const {
    finish_backward(x, kept.v, kept.saved, dx_next, kept.dv, kept.dsaved, exec);
    sublayer_backward(TokenView<const Element>(kept.dv), TokenView<Element>(kept.du));
    prepare_backward(x, kept.saved, dx_next, kept.du, kept.dsaved, dx, grads, exec);
  }

 private:
  template <int, class, class>
  friend class Block;

  void writes_next(detail::Arguments& call, StreamView<const Element> x, TokenView<const Element> v,
                   ConstSavedView saved, StreamView<Element> x_next) const {
    this->reads_streams(call, "x", x);
    call.reads("v", v, x.channels);
    this->reads_saved(call, "saved", saved);
    call.writes("x_next", x_next, N, x.channels).or_is("x");
  }

  /// finish, then prepare of the site that follows, which reads with `pre`.
  template <class NextConnection, class Executor>
  void go_on(const char* here, StreamView<const Element> x, TokenView<const Element> v,
             ConstSavedView saved, StreamView<Element> x_next,
             const Block<N, Element, NextConnection>& next, TokenView<const Scalar> pre,
             TokenView<Element> u, typename Block<N, Element, NextConnection>::SavedView next_saved,
             Executor&& exec) const {
    detail::Arguments call(here);
    writes_next(call, x, v, saved, x_next);
    if (next.channels() != x.channels) {
      detail::refuse(here, "x has ", x.channels, " channels, the parameters of the next site have ",
                     next.channels());
    }
    next.reads_parameters(call);
    next.writes_saved(call, "next_saved", next_saved);
    if (u) call.writes("u", u, x.channels).or_is("v");
    call.check_memory();
    if (x.tokens <= next.few_tokens) {
      merge_back(x, v, saved, x_next, exec);
      next.project_and_read(next.site_.parameters.phi_data(), x_next, pre, u, next_saved, exec);
      return;
    }
    exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
      kernels::finish_and_prepare<N, Element, Connection, NextConnection>(
          x, v, saved, x_next, next.site_, pre, u, next_saved, begin, end);
    });
  }

  template <class Executor>
  void merge_back(StreamView<const Element> x, TokenView<const Element> v, ConstSavedView saved,
                  StreamView<Element> x_next, Executor&& exec) const {
    exec(x.tokens, detail::token_grain(x),
         [&](Index begin, Index end, int) { Kernels::finish(x, v, saved, x_next, begin, end); });
  }
};

/// What one site keeps between its forward and its backward when a callable plays the sublayer.
template <class Block>
struct Activations {
  using Element = typename Block::ElementType;

  Activations(Index tokens, Index channels)
      : saved(tokens),
        dsaved(tokens),
        u(tokens, channels),
        v(tokens, channels),
        du(tokens, channels),
        dv(tokens, channels) {}

  typename Block::Saved saved;
  typename Block::Saved dsaved;
  Tokens<Element> u;   ///< the sublayer's input
  Tokens<Element> v;   ///< its output
  Tokens<Element> du;  ///< and their gradients
  Tokens<Element> dv;
};

MHC_NAMESPACE_END
