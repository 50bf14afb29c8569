// SPDX-License-Identifier: MIT
#pragma once

#include <ggml.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <utility>

#include <mhc/adapters/ggml_tensor.hpp>
#include <mhc/adapters/ranges.hpp>
#include <mhc/block.hpp>
#include <mhc/stored_layout.hpp>

MHC_NAMESPACE_BEGIN
namespace detail {

/// Exceptions must not unwind through ggml's threads: they abort, as ggml's own errors do.
template <class Function>
void ggml_guarded(Function&& f) noexcept {
#if MHC_HAS_EXCEPTIONS
  try {
    f();
  } catch (const std::exception& error) {
    GGML_ABORT("%s", error.what());
  }
#else
  f();
#endif
}

}  // namespace detail

/// A site as custom ggml operators, for N streams of any element type. They replace ggml's own
/// operators in a graph of DeepSeek-V4:
///
///   mappings    rms_norm, mul_mat, the gates, ggml_dsv4_hc_comb   x -> saved
///   aggregate   ggml_dsv4_hc_pre                                  x, saved -> u
///   prepare     both of the above, reading x once                 x -> u, saved
///   finish      ggml_dsv4_hc_post                                 x, v, saved -> x_next
///
///   const mhc::GgmlBlock<4> site(Family::layout(), fn, scale, base, Family::options());
///   auto [u, saved] = site.prepare(context, x);
///   ggml_tensor* v = attention(context, u);                       // yours
///   ggml_tensor* x_next = site.finish(context, x, v, saved);
///
///   x, x_next (C, N, tokens...)   u, v (C, tokens...)   Element
///   saved     (record, tokens...) of the compute type: records of SavedView
///
/// `saved` holds the three small tensors of ggml (pre, post, comb) in one, since an operator has
/// one output. The graph keeps the site's address, so the site must outlive it and cannot be copied
/// or moved. Wrong tensors throw std::invalid_argument when the graph is built. Operators allocate
/// nothing. Threads split the tokens, and the results do not depend on the number of threads; a
/// single token runs on one thread.
template <int N, class Element = float, class Connection = ManifoldConstrained>
class GgmlBlock {
 public:
  using Block = mhc::Block<N, Element, Connection>;
  using Scalar = typename Block::Scalar;
  using Options = typename Block::Options;
  using Parameters = mhc::Parameters<N, Scalar, Connection>;
  using SavedView = typename Block::SavedView;
  static constexpr int record = SavedView::record;

  explicit GgmlBlock(Parameters parameters, const Options& options = Options())
      : parameters_(std::move(parameters)), block_(parameters_, options) {}

  /// Copies a model's tensors, f32 and contiguous, in the layout of its file: fn has ne = (n C, R)
  /// if phi is stored by rows, else (R, n C); scale (gates), base (logits).
  GgmlBlock(const StoredLayout& layout, const ggml_tensor* fn, const ggml_tensor* scale,
            const ggml_tensor* base, const Options& options = Options())
      : GgmlBlock(loaded(layout, fn, scale, base), options) {}

  GgmlBlock(const GgmlBlock&) = delete;
  GgmlBlock& operator=(const GgmlBlock&) = delete;
  ~GgmlBlock() = default;

  const Block& block() const { return block_; }

  ggml_tensor* mappings(ggml_context* context, ggml_tensor* x) const {
    check_x("GgmlBlock::mappings", x);
    return operation<run_mappings>(context, "mhc_mappings", detail::ggml_type_of<Scalar>(),
                                   {record, x->ne[2], x->ne[3], 1}, {x});
  }

  ggml_tensor* aggregate(ggml_context* context, ggml_tensor* x, ggml_tensor* saved) const {
    constexpr const char* here = "GgmlBlock::aggregate";
    check_saved(here, saved, check_x(here, x));
    return operation<run_aggregate>(context, "mhc_aggregate", x->type,
                                    {x->ne[0], x->ne[2], x->ne[3], 1}, {x, saved});
  }

  /// The two results of prepare.
  struct Prepared {
    ggml_tensor* u;
    ggml_tensor* saved;
  };

  /// u is the operator's output. The operator also writes `saved`, which is returned as a view that
  /// depends on u, so that its readers run later.
  Prepared prepare(ggml_context* context, ggml_tensor* x) const {
    check_x("GgmlBlock::prepare", x);
    ggml_tensor* const memory =
        ggml_new_tensor_3d(context, detail::ggml_type_of<Scalar>(), record, x->ne[2], x->ne[3]);
    ggml_tensor* u = operation<run_prepare>(context, "mhc_prepare", x->type,
                                            {x->ne[0], x->ne[2], x->ne[3], 1}, {x, memory});
    const auto nothing = [](ggml_tensor* /*dst*/, int /*ith*/, int /*nth*/, void* /*data*/) {};
    return {u, ggml_custom_inplace(context, memory, &u, 1, nothing, 1, nullptr)};
  }

  ggml_tensor* finish(ggml_context* context, ggml_tensor* x, ggml_tensor* v,
                      ggml_tensor* saved) const {
    constexpr const char* here = "GgmlBlock::finish";
    const Index tokens = check_x(here, x);
    const auto rows = detail::ggml_token_shape<Element>(here, "v", v);
    if (rows.channels != x->ne[0] || rows.tokens != tokens) {
      detail::refuse(here, "v is ", rows.tokens, " x ", rows.channels,
                     " (tokens x channels), expected ", tokens, " x ", x->ne[0]);
    }
    check_saved(here, saved, tokens);
    return operation<run_finish>(context, "mhc_finish", x->type, {x->ne[0], N, x->ne[2], x->ne[3]},
                                 {x, v, saved});
  }

 private:
  /// One thread's share of an operator: its output and sources, and this thread's tokens.
  struct Part {
    const Block& block;
    ggml_tensor* dst;
    Index begin, end;

    StreamView<Element> streams(const char* name, const ggml_tensor* tensor) const {
      return ggml_streams<Element>(name, tensor).slice(begin, end);
    }
    TokenView<Element> tokens(const char* name, const ggml_tensor* tensor) const {
      return ggml_tokens<Element>(name, tensor).slice(begin, end);
    }
    SavedView saved(const ggml_tensor* tensor) const {
      const auto rows = ggml_tokens<Scalar>("saved", tensor);
      return SavedView(rows.data, rows.tokens).slice(begin, end);
    }
  };

  static void run_mappings(const Part& part) {
    part.block.prepare(part.streams("x", part.dst->src[0]), {}, part.saved(part.dst));
  }
  static void run_aggregate(const Part& part) {
    mhc::aggregate<N>(part.streams("x", part.dst->src[0]), part.saved(part.dst->src[1]).pre(),
                      part.tokens("u", part.dst));
  }
  static void run_prepare(const Part& part) {
    part.block.prepare(part.streams("x", part.dst->src[0]), part.tokens("u", part.dst),
                       part.saved(part.dst->src[1]));
  }
  static void run_finish(const Part& part) {
    part.block.finish(part.streams("x", part.dst->src[0]), part.tokens("v", part.dst->src[1]),
                      part.saved(part.dst->src[2]), part.streams("x_next", part.dst));
  }

  template <void (*Run)(const Part&)>
  static void compute(ggml_tensor* dst, int ith, int nth, void* site) {
    detail::ggml_guarded([&] {
      const Index tokens = dst->src[0]->ne[2] * dst->src[0]->ne[3];
      // Tiles of 8 tokens share the reads of phi; fewer tokens are split to keep all threads busy.
      const detail::Ranges ranges(tokens, tokens < Index{8} * nth ? 1 : 8, nth);
      if (ith >= ranges.size()) return;
      Run({static_cast<const GgmlBlock*>(site)->block_, dst, ranges.begin(ith), ranges.end(ith)});
    });
  }

  template <void (*Run)(const Part&)>
  ggml_tensor* operation(ggml_context* context, const char* name, ggml_type type,
                         std::array<std::int64_t, 4> ne,
                         std::initializer_list<ggml_tensor*> sources) const {
    ggml_tensor* args[GGML_MAX_SRC];
    std::copy(sources.begin(), sources.end(), args);
    ggml_tensor* const result = ggml_custom_4d(context, type, ne[0], ne[1], ne[2], ne[3], args,
                                               static_cast<int>(sources.size()), compute<Run>,
                                               GGML_N_TASKS_MAX, const_cast<GgmlBlock*>(this));
    ggml_set_name(result, name);
    return result;
  }

  Index check_x(const char* here, const ggml_tensor* x) const {
    const auto view = detail::ggml_stream_shape<Element>(here, "x", x);
    if (view.streams != N || view.channels != block_.channels()) {
      detail::refuse(here, "x is ", view.tokens, " x ", view.streams, " x ", view.channels,
                     " (tokens x streams x channels), but the site has ", N, " streams and ",
                     block_.channels(), " channels");
    }
    return view.tokens;
  }

  static void check_saved(const char* here, const ggml_tensor* saved, Index tokens) {
    const auto rows = detail::ggml_token_shape<Scalar>(here, "saved", saved);
    if (rows.channels != record || rows.tokens != tokens || !ggml_is_contiguous(saved)) {
      detail::refuse(here, "saved is ", rows.tokens, " x ", rows.channels,
                     ggml_is_contiguous(saved) ? "" : ", not contiguous", ", expected ", tokens,
                     " x ", record, " (tokens x record)");
    }
  }

  static Parameters loaded(const StoredLayout& layout, const ggml_tensor* fn,
                           const ggml_tensor* scale, const ggml_tensor* base) {
    constexpr const char* here = "GgmlBlock";
    const bool by_rows = layout.phi == StoredLayout::Phi::rows;
    const auto check = [](const char* name, const ggml_tensor* tensor, std::int64_t ne0,
                          std::int64_t ne1) {
      const detail::GgmlLabel label(name, tensor);
      detail::ggml_shape<float>(here, label.text(), tensor);
      if (tensor->ne[0] != ne0 || ne0 < 1 || ggml_nelements(tensor) != ne0 * ne1 ||
          !ggml_is_contiguous(tensor)) {
        detail::refuse(here, label.text(), " has ne = (", tensor->ne[0], ", ", tensor->ne[1], ")",
                       ggml_is_contiguous(tensor) ? "" : ", not contiguous", ", expected (", ne0,
                       ", ", ne1, ")");
      }
      return detail::ggml_memory<const float>(here, name, tensor);
    };
    using Shape = typename Block::Shape;
    if (fn == nullptr) detail::refuse(here, "fn is a null pointer");
    const std::int64_t channels = fn->ne[by_rows ? 0 : 1] / N;
    const float* const phi = by_rows ? check("fn", fn, N * channels, Shape::projections)
                                     : check("fn", fn, Shape::projections, N * channels);
    Parameters parameters(channels);
    load_stored(layout, phi, check("scale", scale, Shape::gates, 1),
                check("base", base, Shape::logits, 1), parameters.view());
    return parameters;
  }

  Parameters parameters_;
  Block block_;
};

MHC_NAMESPACE_END
