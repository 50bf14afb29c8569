// SPDX-License-Identifier: MIT
#pragma once

#include "deepseek_v4.hpp"
#include "megatron_main.hpp"

// Megatron-LM, branch dev: main's tensors and norm 1 / (rms + 1e-6), but DeepSeek-V4's recipe:
// comb[src, dst], softmax + eps, columns first, pre + 1e-6. The collapse is the mean. The
// checkpoints of main and dev are not interchangeable.
namespace families {

template <class T>
struct MegatronDevSite : MegatronMainSite<T> {
  using MegatronMainSite<T>::MegatronMainSite;

  Mappings<T> mappings(const Tensor<T>& x) const {
    return deepseek_v4_mappings(this->logits(x), this->streams(), this->eps,
                                this->sinkhorn_iterations);
  }

  Tensor<T> merge(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                  bool transposed = false) const {
    return merge_src_dst(at, x, y, transposed);
  }
};

}  // namespace families
