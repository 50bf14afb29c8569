// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>
#include <mhc/mappings.hpp>
#include <mhc/rounded_phi.hpp>

MHC_NAMESPACE_BEGIN

/// What a block and a head have in common: a site that reads its streams through learned mappings.
/// Holds a view of the parameters (values that are updated in place are seen) and the options.
template <int N, class Element, class Connection>
class ReadingSite {
  static_assert(N >= 1, "mhc: the number of streams N must be at least 1");
  static_assert(is_element<Element>,
                "mhc: streams are stored as float, double, mhc::bf16 or mhc::f16");

 public:
  using Scalar = compute_t<Element>;
  using Options = typename Connection::Options;
  using Shape = typename Connection::template Shape<N>;
  using Parameters = mhc::Parameters<N, Scalar, Connection>;
  using ParametersView = mhc::ParametersView<N, Scalar, Connection>;
  using ConstParametersView = mhc::ParametersView<N, const Scalar, Connection>;
  using Saved = mhc::Saved<N, Scalar, Connection>;
  using SavedView = mhc::SavedView<N, Scalar, Connection>;
  using ConstSavedView = mhc::SavedView<N, const Scalar, Connection>;
  static constexpr int streams = N;

  const Options& options() const { return site_.options; }
  ConstParametersView parameters() const { return site_.parameters; }
  Index channels() const { return site_.parameters.channels; }

 protected:
  using Kernels = kernels::SiteKernels<N, Element, Connection>;
  template <class Phi>
  using Prepare = kernels::PrepareKernels<N, Element, Connection, Phi>;

  ReadingSite(const char* function, ConstParametersView parameters, const Options& options)
      : site_{options, parameters} {
    detail::CheckOptions<Connection>::check_all(function, options);
    if (parameters.channels < 1) {
      detail::refuse(function, "parameters have ", parameters.channels,
                     " channels, expected at least 1");
    }
    if (Shape::logits > 0 && parameters.data == nullptr) {
      detail::refuse(function, "parameters have no data (null pointer)");
    }
  }

  /// The streams, whose sizes are those of the call.
  void reads_streams(detail::Arguments& call, const char* argument,
                     StreamView<const Element> x) const {
    call.reads_streams(argument, x, N);
    if (x.channels != channels()) {
      detail::refuse(call.function(), argument, " has ", x.channels,
                     " channels, the parameters have ", channels());
    }
  }

  static void check_saved(const char* function, const char* argument, ConstSavedView saved,
                          Index tokens) {
    if (saved.tokens != tokens) {
      detail::refuse(function, argument, " has room for ", saved.tokens, " tokens, expected ",
                     tokens);
    }
    if (saved.data == nullptr && tokens > 0) {
      detail::refuse(function, argument, " has no data (null pointer)");
    }
  }
  static void reads_saved(detail::Arguments& call, const char* argument, ConstSavedView saved) {
    check_saved(call.function(), argument, saved, call.tokens());
    call.reads(argument, saved.records());
  }
  static void writes_saved(detail::Arguments& call, const char* argument, SavedView saved) {
    check_saved(call.function(), argument, saved, call.tokens());
    call.writes(argument, saved.records());
  }

  void reads_parameters(detail::Arguments& call) const {
    const Index size = ConstParametersView::size(channels());
    call.reads("the parameters", TokenView<const Scalar>(site_.parameters.data, 1, size));
  }

  void writes_grads(detail::Arguments& call, ParametersView grads) const {
    if constexpr (Shape::logits > 0) {
      if (grads.data == nullptr || grads.channels != channels()) {
        detail::refuse(call.function(), "grads has ", grads.channels, " channels",
                       grads.data == nullptr ? " and no data (null pointer)" : "", ", expected ",
                       channels());
      }
      const Index size = ParametersView::size(channels());
      call.writes("grads", TokenView<Scalar>(grads.data, 1, size));
    }
  }

  /// Mappings into `saved`; u = pre x unless u, which the caller calls `name`, is absent.
  template <class Executor>
  void read(const char* function, const char* name, StreamView<const Element> x,
            TokenView<Element> u, SavedView saved, Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, "x", x);
    writes_reading(call, "saved", saved, name, u);
    call.check_memory();
    project_and_read(site_.parameters.phi_data(), x, saved.pre(), u, saved, exec);
  }

  /// The same, but u = pre x with the pre of another site.
  template <class Executor>
  void read_with(const char* function, const char* name, StreamView<const Element> x,
                 TokenView<const Scalar> pre, TokenView<Element> u, SavedView saved,
                 Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, "x", x);
    call.reads("pre", pre, N);
    writes_reading(call, "saved", saved, name, u);
    call.check_memory();
    project_and_read(site_.parameters.phi_data(), x, pre, u, saved, exec);
  }

  /// The same with phi rounded to bf16.
  template <class Executor>
  void read_rounded(const char* function, const char* name, StreamView<const Element> x,
                    TokenView<Element> u, SavedView saved, RoundedPhiView<N, Connection> phi,
                    Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, "x", x);
    if (phi.data == nullptr || phi.channels != channels()) {
      detail::refuse(function, "phi has ", phi.channels, " channels",
                     phi.data == nullptr ? " and no data (null pointer)" : "", ", expected ",
                     channels());
    }
    call.reads("phi", TokenView<const bf16>(phi.data, 1, phi.size(phi.channels)));
    writes_reading(call, "saved", saved, name, u);
    call.check_memory();
    project_and_read(phi.data, x, saved.pre(), u, saved, exec);
  }

  /// What reading the streams writes, beside the parameters that it reads.
  void writes_reading(detail::Arguments& call, const char* saved_name, SavedView saved,
                      const char* u_name, TokenView<Element> u) const {
    reads_parameters(call);
    writes_saved(call, saved_name, saved);
    call.writes_if(u_name, u, channels());
  }

  template <class Phi, class Executor>
  void project_and_read(const Phi* phi, StreamView<const Element> x, TokenView<const Scalar> pre,
                        TokenView<Element> u, SavedView saved, Executor&& exec) const {
    if constexpr (Shape::projections > 0 && !std::is_same_v<std::decay_t<Executor>, Serial>) {
      if (x.tokens > 0 && x.tokens <= few_tokens) {
        share_out(phi, x, pre, u, saved, exec);
        return;
      }
    }
    exec(x.tokens, detail::token_grain(x), [&](Index begin, Index end, int) {
      Prepare<Phi>::prepare(site_, phi, x, pre, u, saved, begin, end);
    });
  }

  /// What the streams were read with: the site's own pre, or that of the site before and in `dpre`
  /// the gradients that pass from site to site.
  struct ReadWith {
    TokenView<const Scalar> pre;
    TokenView<Scalar> dpre;
  };

  /// dx (assigned) and the gradients of the parameters (accumulated); the caller calls du `name`.
  template <class Executor>
  void read_backward(const char* function, const char* name, StreamView<const Element> x,
                     ReadWith with, ConstSavedView saved, StreamView<const Element> dx_next,
                     TokenView<const Element> du, SavedView dsaved, StreamView<Element> dx,
                     ParametersView grads, Executor&& exec) const {
    detail::Arguments call(function);
    reads_streams(call, "x", x);
    reads_parameters(call);
    if (with.dpre) call.reads("pre", with.pre, N);
    reads_saved(call, "saved", saved);
    call.reads_if("dx_next", dx_next, N, x.channels);
    call.reads_if(name, du, x.channels);
    writes_saved(call, "dsaved", dsaved);
    call.writes_if("dpre", with.dpre, N);
    call.writes("dx", dx, N, x.channels).or_is("dx_next");
    writes_grads(call, grads);
    call.check_memory();
    // One thread alone goes on to phi's gradient while it has the tokens' x in the cache.
    const Index together =
        std::is_same_v<std::decay_t<Executor>, Serial> ? Index{kernels::phi_tokens} : x.tokens;
    for (Index t = 0; t < x.tokens; t += together) {
      const Index last = (std::min)(t + together, x.tokens);
      exec(last - t, detail::token_grain(x), [&](Index begin, Index end, int) {
        Kernels::prepare_backward(site_, x, dx_next, with.pre, with.dpre, du, saved, dsaved, dx,
                                  t + begin, t + end);
      });
      if constexpr (Shape::projections > 0) {
        exec(x.channels, Index{64}, [&](Index begin, Index end, int) {
          Kernels::prepare_backward_phi(x.slice(t, last), dsaved.slice(t, last), grads, begin, end);
        });
      }
    }
    if constexpr (Shape::logits > 0) {
      Kernels::prepare_backward_gates(saved, dsaved, grads);
    }
  }

 private:
  template <int, class, class>
  friend class Block;  // whose finish may go on with the site that follows

  // Tokens so few that threads share out the channels of each, which is what it takes to generate
  // text: their partial sums, at most 64 KiB for up to 8 streams, wait on the stack.
  static constexpr Index max_parts = Index{N} * kernels::parts_per_stream;
  static constexpr Index part_room = Shape::projections + Index{2 * 64 / sizeof(Scalar)};
  static constexpr Index few_tokens =
      std::clamp<Index>(65536 / (max_parts * part_room * Index{sizeof(Scalar)}), 1, 4);

  template <class Phi, class Executor>
  void share_out(const Phi* phi, StreamView<const Element> x, TokenView<const Scalar> pre,
                 TokenView<Element> u, SavedView saved, Executor&& exec) const {
    Scalar sums[static_cast<std::size_t>(few_tokens * max_parts * part_room)];
    const kernels::Parts parts(x.channels);
    const Index worth = Index{1} << 16;  // multiply-adds that outweigh waking a thread
    const Index grain = worth / (x.tokens * parts.length * Shape::projections) + 1;
    exec(N * parts.per_stream(), grain, [&](Index begin, Index end, int) {
      Prepare<Phi>::prepare_parts(site_, phi, x, sums, begin, end);
    });
    Kernels::prepare_from_parts(site_, x, pre, u, saved, sums);
  }

  kernels::Site<N, Scalar, Connection> site_;
};

MHC_NAMESPACE_END
