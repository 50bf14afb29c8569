// SPDX-License-Identifier: MIT
// Converts the integers of the C interface to types and options. MHC_C_STREAMS lists the numbers of
// streams to compile.
#pragma once

#include <mhc/c/mhc_c.h>
#include <mhc/check.hpp>
#include <mhc/families.hpp>
#include <mhc/with_streams.hpp>

#ifndef MHC_C_STREAMS
#define MHC_C_STREAMS 2, 4, 8
#endif

MHC_NAMESPACE_BEGIN
namespace detail::c {

/// Calls f(Element()) for the given element type.
template <class Function>
void with_element(mhc_element element, Function&& f) {
  if (element == MHC_F32) return f(float());
  if (element == MHC_F64) return f(double());
  if (element == MHC_BF16) return f(mhc::bf16());
  if (element == MHC_F16) return f(mhc::f16());
  mhc::detail::refuse("c::element", "element is ", element, ", expected 0 to 3");
}

template <class Function>
decltype(auto) with_compiled_streams(Index streams, Function&& f) {
  return mhc::with_streams<MHC_C_STREAMS>(streams, f);
}

/// Calls f(Family()) for the given family; returns false if it is unknown.
template <class Function>
bool with_family(mhc_family family, Function&& f) {
  switch (family) {
    case MHC_PAPER:
      return f(mhc::families::Paper()), true;
    case MHC_DEEPSEEK_V4:
      return f(mhc::families::DeepSeekV4()), true;
    case MHC_DEEPSEEK_V41:
      return f(mhc::families::DeepSeekV41()), true;
    case MHC_GLM_53_FLASH:
      return f(mhc::families::Glm53Flash()), true;
    case MHC_OPENPANGU_2:
      return f(mhc::families::OpenPangu2()), true;
    case MHC_MEGATRON_MAIN:
      return f(mhc::families::MegatronMain()), true;
    case MHC_MEGATRON_DEV:
      return f(mhc::families::MegatronDev()), true;
    case MHC_LIGER:
      return f(mhc::families::Liger()), true;
  }
  return false;
}

using Options = mhc::ManifoldConstrained::Options;

inline mhc_options to_c(const Options& options) {
  mhc_options c{};
  c.norm_eps = options.norm_eps;
  c.norm_eps_place = static_cast<int>(options.norm);
  c.pre_eps = options.pre_eps;
  c.normalize_pre = options.normalize_pre ? 1 : 0;
  c.post_scale = options.post_scale;
  c.post_eps = options.post_eps;
  c.iterations = options.residual.iterations;
  c.start_eps = options.residual.start_eps;
  c.divisor_eps = options.residual.divisor_eps;
  c.rows_first = options.residual.first == mhc::Axis::rows ? 1 : 0;
  c.divisor_at_least_eps = options.residual.divisor == mhc::Divisor::at_least_eps ? 1 : 0;
  c.implicit_gradient = options.residual.gradient == mhc::Gradient::implicit ? 1 : 0;
  return c;
}

inline bool flag(const char* name, int value) {
  if (value != 0 && value != 1) {
    mhc::detail::refuse("c::options", "options.", name, " is ", value, ", expected 0 or 1");
  }
  return value == 1;
}

inline Options from_c(const mhc_options& c) {
  if (c.norm_eps_place < 0 || c.norm_eps_place > 2) {
    mhc::detail::refuse("c::options", "options.norm_eps_place is ", c.norm_eps_place,
                        ", expected 0 to 2");
  }
  Options options;
  options.norm_eps = c.norm_eps;
  options.norm = static_cast<mhc::NormEps>(c.norm_eps_place);
  options.pre_eps = c.pre_eps;
  options.normalize_pre = flag("normalize_pre", c.normalize_pre);
  options.post_scale = c.post_scale;
  options.post_eps = c.post_eps;
  options.residual.iterations = c.iterations;
  options.residual.start_eps = c.start_eps;
  options.residual.divisor_eps = c.divisor_eps;
  if (flag("rows_first", c.rows_first)) options.residual.first = mhc::Axis::rows;
  if (flag("divisor_at_least_eps", c.divisor_at_least_eps)) {
    options.residual.divisor = mhc::Divisor::at_least_eps;
  }
  if (flag("implicit_gradient", c.implicit_gradient)) {
    options.residual.gradient = mhc::Gradient::implicit;
  }
  return options;
}

}  // namespace detail::c
MHC_NAMESPACE_END
