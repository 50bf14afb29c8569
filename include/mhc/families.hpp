// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>

#include <mhc/connection.hpp>
#include <mhc/stored_layout.hpp>

MHC_NAMESPACE_BEGIN

/// How a model collapses its streams at the end.
enum class Collapse {
  learned,  ///< Head (head.hpp)
  mean,     ///< collapse_mean
  sum,      ///< collapse_sum
  last_pre  ///< aggregate with the pre of the last site
};

/// The released models and how they differ: the connection, its options and the layout of its
/// tensors. All of them start with expand_repeat.
///
///   mhc::Parameters<4> parameters(4096);
///   mhc::load_stored(Family::layout(), fn, scale, base, parameters.view());
///   mhc::Block<4, mhc::bf16, Family::Connection> block(parameters, Family::options());
///
/// docs/families.md lists, family by family, what was tested against which source.
namespace families {

namespace detail {
inline SinkhornKnoppOptions twenty(double eps, Axis first = Axis::columns) {
  SinkhornKnoppOptions options;
  options.start_eps = eps;
  options.divisor_eps = eps;
  options.first = first;
  return options;
}
inline ManifoldConstrained::Options with_eps(double norm_eps, double pre_eps,
                                             const SinkhornKnoppOptions& sinkhorn_knopp) {
  ManifoldConstrained::Options options;
  options.norm_eps = norm_eps;
  options.pre_eps = pre_eps;
  options.residual = sinkhorn_knopp;
  return options;
}
}  // namespace detail

/// The paper's text and tables: no eps except in the norm (1e-20, table 5), 20 iterations. The text
/// does not specify the final collapse. Source: arXiv:2512.24880.
struct Paper {
  static constexpr const char* name = "mHC paper";
  using Connection = ManifoldConstrained;
  static Connection::Options options() { return {}; }
  static StoredLayout layout() { return {StoredLayout::Phi::columns, StoredLayout::Res::out_in}; }
};

/// rms_norm_eps = hc_eps = 1e-6: in the norm, added to pre and in Sinkhorn-Knopp. hc_attn_fn (24,
/// 4C), hc_attn_scale (3), hc_attn_base (24); comb[src, dst]. Source: TileKernels,
/// inference/model.py.
struct DeepSeekV4 {
  static constexpr const char* name = "DeepSeek-V4";
  static constexpr Collapse collapse = Collapse::learned;
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    return detail::with_eps(1e-6, 1e-6, detail::twenty(1e-6));
  }
  static StoredLayout layout() { return {StoredLayout::Phi::rows, StoredLayout::Res::src_dst}; }
  static LearnedCollapse::Options head_options() { return {1e-6, 1e-6}; }
};

/// Single-pass: each site reads with the pre of the previous site (Block::prepare_delayed), the
/// first one with one_hot_pre. There is no head. rms_norm_eps is 1e-20. Otherwise like DeepSeek-V4.
struct DeepSeekV41 {
  static constexpr const char* name = "DeepSeek-V4.1";
  static constexpr Collapse collapse = Collapse::last_pre;
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    return detail::with_eps(1e-20, 1e-6, detail::twenty(1e-6));
  }
  static StoredLayout layout() { return DeepSeekV4::layout(); }
};

/// Like DeepSeek-V4, with rms_norm_eps = 1e-5 in the norm (not hc_eps) and collapse_mean.
struct Glm53Flash {
  static constexpr const char* name = "GLM-5.3-Flash";
  static constexpr Collapse collapse = Collapse::mean;
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    return detail::with_eps(1e-5, 1e-6, detail::twenty(1e-6));
  }
  static StoredLayout layout() { return DeepSeekV4::layout(); }
};

/// Like DeepSeek-V4, with a learned weight of the norm, norm_gamma (4C), in the sites and the head:
/// use fold_norm_weight with offset 0. normalize_pre is its optional mhc_hpre_renorm.
struct OpenPangu2 {
  static constexpr const char* name = "openPangu-2.0";
  static constexpr Collapse collapse = Collapse::learned;
  using Connection = ManifoldConstrained;
  static Connection::Options options() { return DeepSeekV4::options(); }
  static StoredLayout layout() { return DeepSeekV4::layout(); }
  static LearnedCollapse::Options head_options() { return DeepSeekV4::head_options(); }
};

/// iHC: H_res = I, eps is added to post as well, rms_norm_eps = 1e-5; hc_fn (8, 4C), hc_scale (2),
/// hc_base (8).
struct Hy4 {
  static constexpr const char* name = "Tencent Hy4";
  static constexpr Collapse collapse = Collapse::learned;
  using Connection = Constrained<IdentityResidual>;
  static Connection::Options options() {
    Connection::Options options;
    options.norm_eps = 1e-5;
    options.pre_eps = 1e-6;
    options.post_eps = 1e-6;
    return options;
  }
  static StoredLayout layout() { return {StoredLayout::Phi::rows, StoredLayout::Res::out_in}; }
  static LearnedCollapse::Options head_options() { return {1e-5, 1e-6}; }
};

/// H_res[out, in] as in the paper, but with rows before columns and divisors max(s, 1e-6); the norm
/// is 1 / (rms + 1e-6). mapping_proj.weight (24, 4C), alpha_pre, alpha_post, alpha_res, bias (24).
/// Its checkpoints and those of dev are not interchangeable. Source: Megatron-LM, main, August
/// 2026.
struct MegatronMain {
  static constexpr const char* name = "Megatron-LM main";
  static constexpr Collapse collapse = Collapse::mean;
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    Connection::Options options = detail::with_eps(1e-6, 0.0, detail::twenty(0.0, Axis::rows));
    options.norm = NormEps::on_root;
    options.residual.divisor_eps = 1e-6;
    options.residual.divisor = Divisor::at_least_eps;
    return options;
  }
  static StoredLayout layout() { return {StoredLayout::Phi::rows, StoredLayout::Res::out_in}; }
};

/// Like DeepSeek-V4, except for the norm, 1 / (rms + 1e-6), and collapse_mean. Its optional learned
/// contraction is DeepSeek-V4's head. Source: Megatron-LM, dev.
struct MegatronDev {
  static constexpr const char* name = "Megatron-LM dev";
  static constexpr Collapse collapse = Collapse::mean;
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    Connection::Options options = DeepSeekV4::options();
    options.norm = NormEps::on_root;
    return options;
  }
  static StoredLayout layout() { return DeepSeekV4::layout(); }
  static LearnedCollapse::Options head_options() { return DeepSeekV4::head_options(); }
};

/// DeepSeek-V4's recipe applied to H_res[out, in] itself: rows first, so that the columns sum to
/// one exactly; phi (4C, 24); no eps on pre. It cannot represent V4's checkpoints exactly. Source:
/// Liger-Kernel.
struct Liger {
  static constexpr const char* name = "Liger-Kernel";
  using Connection = ManifoldConstrained;
  static Connection::Options options() {
    return detail::with_eps(1e-6, 0.0, detail::twenty(1e-6, Axis::rows));
  }
  static StoredLayout layout() { return Paper::layout(); }
};

/// The original hyper-connections as written in arXiv:2512.24880, eq. (5).
struct HyperConnectionsPaper {
  static constexpr const char* name = "hyper-connections, mHC paper's eq. (5)";
  static constexpr Collapse collapse = Collapse::sum;
  using Connection = HyperConnections;
  static Connection::Options options() { return {}; }
};

/// The smallest root mean square of `values` values in torch's normalize, x / max(|x|, 1e-12).
inline double least_rms(Index values) {
  return 1e-12 / std::sqrt(static_cast<double>(values));
}

/// lucidrains' hyper-connections: the pseudocode of arXiv:2409.19606, where each stream is
/// normalised by its root mean square (torch's normalize). Stored as StoredAlphaBeta, where
/// scale_pre and scale_res are one tensor; gamma (C) is folded by fold_norm_weight with offset 1.
struct LucidrainsHyperConnections {
  static constexpr const char* name = "lucidrains hyper-connections";
  static constexpr Collapse collapse = Collapse::sum;
  using Connection = HyperConnections;
  static Connection::Options options(Index channels) {
    return {least_rms(channels), NormEps::least_root};
  }
};

/// Its manifold-constrained form: logits as above but without tanh, sigmoids, and Sinkhorn-Knopp
/// over the sources, then over the targets, with divisors max(s, 1e-12).
struct LucidrainsManifold {
  static constexpr const char* name = "lucidrains mHC";
  static constexpr Collapse collapse = Collapse::sum;
  using Connection = Constrained<SinkhornKnopp, FromStreams>;
  static Connection::Options options(Index channels) {
    Connection::Options options;
    options.norm_eps = least_rms(channels);
    options.norm = NormEps::least_root;
    options.residual = detail::twenty(0.0, Axis::rows);
    options.residual.divisor_eps = 1e-12;
    options.residual.divisor = Divisor::at_least_eps;
    return options;
  }
};

/// mHC-lite's softmax over permutations. Stored as StoredAlphaBeta; gamma (n C) is folded by
/// fold_norm_weight with offset 1. Source: arXiv:2601.05732.
struct MhcLite {
  static constexpr const char* name = "mHC-lite";
  static constexpr Collapse collapse = Collapse::sum;
  using Connection = Constrained<PermutationSoftmax>;
  static Connection::Options options(Index streams, Index channels) {
    Connection::Options options;
    options.norm_eps = least_rms(streams * channels);
    options.norm = NormEps::least_root;
    return options;
  }
};

/// KromHC's Kronecker product of 2 x 2 factors, stored like mHC-lite. Source: arXiv:2601.21579.
struct KromHc {
  static constexpr const char* name = "KromHC";
  static constexpr Collapse collapse = Collapse::sum;
  using Connection = Constrained<Kronecker>;
  static Connection::Options options(Index streams, Index channels) {
    Connection::Options options;
    options.norm_eps = least_rms(streams * channels);
    options.norm = NormEps::least_root;
    return options;
  }
};

}  // namespace families
MHC_NAMESPACE_END
