// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "block_calls.hpp"
#include "support/plain_eigen.hpp"
#include "support/verify.hpp"

namespace mhc_bench {

inline constexpr int n = 4;
inline constexpr int iterations = mhc::SinkhornKnoppOptions{}.iterations;
using Record = plain_eigen::Record;
static_assert(Record::size == mhc::SavedView<n>::record, "plain Eigen writes mhc's records");

// Relative to the largest value of an array. Sums of tens of thousands of floats in different
// orders; and one rounding of bf16, which may go the other way.
inline constexpr double tolerance_f32 = 1e-4;
template <class Element>
inline constexpr double tolerance = std::is_same_v<Element, float> ? tolerance_f32 : 0x1p-7;

template <class Element>
BlockCalls<Element> our_calls() {
  if constexpr (std::is_same_v<Element, float>) {
    return baseline::f32_calls();
  } else {
    return baseline::bf16_calls();
  }
}
template <class Element>
BlockCalls<Element> native_calls() {
  if constexpr (std::is_same_v<Element, float>) {
    return native::f32_calls();
  } else {
    return native::bf16_calls();
  }
}
template <class Element>
plain_eigen::SiteCalls<Element> plain_calls() {
  if constexpr (std::is_same_v<Element, float>) {
    return plain_eigen::f32_calls();
  } else {
    return plain_eigen::bf16_calls();
  }
}

template <class Phi = float>
plain_eigen::Parameters<Phi> plain_parameters(const mhc::Parameters<n>& parameters,
                                              const Phi* phi) {
  return {parameters.channels(), phi, parameters.alpha().data(), parameters.b().data(), iterations};
}
inline plain_eigen::Parameters<float> plain_parameters(const mhc::Parameters<n>& parameters) {
  return plain_parameters(parameters, parameters.phi().data());
}

/// A problem, and a copy for plain Eigen, which reads the same inputs and what our other calls have
/// kept, so that each operation is compared on its own.
template <class Element>
class Site {
 public:
  Site(mhc::Index tokens, mhc::Index channels)
      : site(tokens, channels),
        x_next_(tokens, n, channels),
        dx_(tokens, n, channels),
        u_(tokens, channels),
        dv_(tokens, channels),
        saved_(tokens),
        next_saved_(tokens),
        dsaved_(tokens),
        grads_(channels) {
    const mhc::ThreadPool alone(1);
    const auto calls = our_calls<Element>();
    calls.prepare(site, alone);
    calls.finish_backward(site, alone);
    std::memcpy(dsaved_.view().data, site.dsaved.view().data, bytes_of_records());
  }

  void prepare(const mhc::ThreadPool& pool) {
    prepare(site.parameters, site.x.data(), saved_, pool);
  }

  void finish(const mhc::ThreadPool& pool) {
    over_tokens(pool, [&](mhc::Index begin, mhc::Index size) {
      plain_.finish(site.channels, streams(site.x, begin), rows(site.v, begin),
                    site.saved.view().token(begin), size, streams(x_next_, begin));
    });
  }

  void fused(const mhc::ThreadPool& pool) {
    finish(pool);
    prepare(site.next_parameters, x_next_.data(), next_saved_, pool);
  }

  void finish_backward(const mhc::ThreadPool& pool) {
    over_tokens(pool, [&](mhc::Index begin, mhc::Index size) {
      plain_.finish_backward(site.channels, streams(site.dx_next, begin), streams(site.x, begin),
                             rows(site.v, begin), site.saved.view().token(begin), size,
                             rows(dv_, begin), dsaved_.view().token(begin));
    });
  }

  void prepare_backward(const mhc::ThreadPool& pool) {
    over_tokens(pool, [&](mhc::Index begin, mhc::Index size) {
      plain_.prepare_backward(plain_parameters(site.parameters), streams(site.x, begin),
                              streams(site.dx_next, begin), rows(site.du, begin),
                              site.saved.view().token(begin), dsaved_.view().token(begin), size,
                              streams(dx_, begin));
    });
    pool(n * site.channels, 64, [&](mhc::Index begin, mhc::Index end, int) {
      plain_.phi_gradient(site.channels, site.x.data(), dsaved_.view().data, site.tokens,
                          grads_.phi().data(), begin, end);
    });
    plain_eigen::gate_gradients(site.saved.view().data, dsaved_.view().data, site.tokens,
                                grads_.alpha().data(), grads_.b().data());
  }

  void forward_backward(const mhc::ThreadPool& pool) {
    prepare(pool);
    finish(pool);
    finish_backward(pool);
    prepare_backward(pool);
  }

  /// Both gradients accumulate: they start from zero.
  void clear_gradients() {
    std::fill_n(site.grads.span().data, site.grads.span().size, 0.0F);
    std::fill_n(grads_.span().data, grads_.span().size, 0.0F);
  }

  void verify_u(const std::string& row) const {
    require_close(row, "u", site.u.data(), u_.data(), u_.size(), tolerance<Element>);
  }
  void verify_saved(const std::string& row) const {
    require_close(row, "saved", site.saved.view().data, saved_.view().data, size_of_records(),
                  tolerance_f32);
  }
  /// The streams in between may differ in single roundings.
  void verify_next_saved(const std::string& row) const {
    require_close(row, "next_saved", site.next_saved.view().data, next_saved_.view().data,
                  size_of_records(), std::is_same_v<Element, float> ? tolerance_f32 : 2e-3);
  }
  void verify_x_next(const std::string& row) const {
    require_close(row, "x_next", site.x_next.data(), x_next_.data(), x_next_.size(),
                  tolerance<Element>);
  }
  void verify_dv(const std::string& row) const {
    require_close(row, "dv", site.dv.data(), dv_.data(), dv_.size(), tolerance<Element>);
  }
  void verify_dsaved(const std::string& row) const {
    require_close(row, "dsaved", site.dsaved.view().data, dsaved_.view().data, size_of_records(),
                  tolerance_f32);
  }
  /// The results of finish_backward: the gradients of pre, post and res.
  void verify_cotangents(const std::string& row) const {
    const std::vector<float> ours = cotangents(site.dsaved);
    const std::vector<float> plain = cotangents(dsaved_);
    require_close(row, "dsaved", ours.data(), plain.data(), static_cast<mhc::Index>(ours.size()),
                  tolerance_f32);
  }
  void verify_dx_and_gradients(const std::string& row) const {
    require_close(row, "dx", site.dx.data(), dx_.data(), dx_.size(), tolerance<Element>);
    require_close(row, "dphi", site.grads.phi().data(), grads_.phi().data(), grads_.phi().size(),
                  tolerance_f32);
    require_close(row, "dalpha", site.grads.alpha().data(), grads_.alpha().data(), 3,
                  tolerance_f32);
    require_close(row, "db", site.grads.b().data(), grads_.b().data(), grads_.b().size(),
                  tolerance_f32);
  }

  Problem<Element> site;

 private:
  void prepare(const mhc::Parameters<n>& parameters, const Element* x, mhc::Saved<n>& saved,
               const mhc::ThreadPool& pool) {
    over_tokens(pool, [&](mhc::Index begin, mhc::Index size) {
      plain_.prepare(plain_parameters(parameters), x + begin * n * site.channels, size,
                     rows(u_, begin), saved.view().token(begin));
    });
  }

  static std::vector<float> cotangents(const mhc::Saved<n>& dsaved) {
    std::vector<float> all;
    for (mhc::Index t = 0; t < dsaved.tokens(); ++t) {
      const float* record = dsaved.view().token(t);
      all.insert(all.end(), record + Record::pre, record + Record::size);
    }
    return all;
  }

  template <class Function>
  void over_tokens(const mhc::ThreadPool& pool, Function&& f) const {
    pool(site.tokens, 1, [&](mhc::Index begin, mhc::Index end, int) { f(begin, end - begin); });
  }
  template <class All>
  auto streams(All& all, mhc::Index token) const {
    return all.data() + token * n * site.channels;
  }
  template <class All>
  auto rows(All& all, mhc::Index token) const {
    return all.data() + token * site.channels;
  }
  mhc::Index size_of_records() const { return site.tokens * Record::size; }
  std::size_t bytes_of_records() const {
    return static_cast<std::size_t>(size_of_records()) * sizeof(float);
  }

  plain_eigen::SiteCalls<Element> plain_ = plain_calls<Element>();
  mhc::Streams<Element> x_next_, dx_;
  mhc::Tokens<Element> u_, dv_;
  mhc::Saved<n> saved_, next_saved_, dsaved_;
  mhc::Parameters<n> grads_;
};

}  // namespace mhc_bench
