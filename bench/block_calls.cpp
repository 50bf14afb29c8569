// SPDX-License-Identifier: MIT
#include "block_calls.hpp"

namespace mhc_bench {
namespace {

/// With one thread, uses the executor of callers that pass none.
template <class Call>
void with_executor(const mhc::ThreadPool& pool, Call&& call) {
  if (pool.threads() == 1) {
    call(mhc::serial);
  } else {
    call(pool);
  }
}

template <class Element>
struct Calls {
  using Site = Problem<Element>;
  using Block = typename Site::Block;

  static void prepare(Site& site, const mhc::ThreadPool& pool) {
    with_executor(pool, [&](const auto& exec) {
      Block(site.parameters).prepare(site.x, site.u, site.saved, exec);
    });
  }
  static void finish(Site& site, const mhc::ThreadPool& pool) {
    with_executor(pool, [&](const auto& exec) {
      Block(site.parameters).finish(site.x, site.v, site.saved, site.x_next, exec);
    });
  }
  static void fused(Site& site, const mhc::ThreadPool& pool) {
    with_executor(pool, [&](const auto& exec) {
      Block(site.parameters)
          .finish_and_prepare(site.x, site.v, site.saved, site.x_next, Block(site.next_parameters),
                              site.u, site.next_saved, exec);
    });
  }
  static void finish_backward(Site& site, const mhc::ThreadPool& pool) {
    with_executor(pool, [&](const auto& exec) {
      Block(site.parameters)
          .finish_backward(site.x, site.v, site.saved, site.dx_next, site.dv, site.dsaved, exec);
    });
  }
  static void prepare_backward(Site& site, const mhc::ThreadPool& pool) {
    with_executor(pool, [&](const auto& exec) {
      Block(site.parameters)
          .prepare_backward(site.x, site.saved, site.dx_next, site.du, site.dsaved, site.dx,
                            site.grads, exec);
    });
  }
  static void forward_backward(Site& site, const mhc::ThreadPool& pool) {
    prepare(site, pool);
    finish(site, pool);
    finish_backward(site, pool);
    prepare_backward(site, pool);
  }
  static void decode(DecodeSites<Element>& sites, std::size_t site, const mhc::ThreadPool& pool) {
    Site& token = sites.token;
    const Block block(sites.parameters[site]);
    with_executor(pool, [&](const auto& exec) {
      if constexpr (std::is_same_v<Element, float>) {
        block.prepare(token.x, token.u, token.saved, exec);
      } else {
        block.prepare_rounded(token.x, token.u, token.saved, sites.rounded[site], exec);
      }
    });
  }
};

template <class Element>
BlockCalls<Element> block_calls() {
  using All = Calls<Element>;
  return {All::prepare,          All::finish,           All::fused, All::finish_backward,
          All::prepare_backward, All::forward_backward, All::decode};
}

}  // namespace

namespace MHC_BUILD {

BlockCalls<float> f32_calls() {
  return block_calls<float>();
}
BlockCalls<mhc::bf16> bf16_calls() {
  return block_calls<mhc::bf16>();
}

}  // namespace MHC_BUILD
}  // namespace mhc_bench
