// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/arguments.hpp>
#include <mhc/executor.hpp>
#include <mhc/kernels/entry.hpp>

MHC_NAMESPACE_BEGIN
namespace detail {

// What expand and collapse have in common: each stream is treated like the others.

/// x_i = scale h for every stream.
template <class Element, class Executor>
void repeat(const TokenView<const Element>& h, compute_t<Element> scale,
            const StreamView<Element>& x, Executor&& exec) {
  exec(x.tokens, token_grain(x), [&](Index begin, Index end, int) {
    kernels::UniformKernels<Element>::repeat(h, scale, x, begin, end);
  });
}

/// h = scale sum_i x_i, summed in the compute type and rounded once.
template <class Element, class Executor>
void sum(const StreamView<const Element>& x, compute_t<Element> scale, const TokenView<Element>& h,
         Executor&& exec) {
  exec(x.tokens, token_grain(x), [&](Index begin, Index end, int) {
    kernels::UniformKernels<Element>::sum(x, scale, h, begin, end);
  });
}

}  // namespace detail
MHC_NAMESPACE_END
