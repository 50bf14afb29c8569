// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <mhc/checkpoint/model.hpp>

#include "bits.hpp"
#include "generated_model.hpp"

// Checks that a loaded site equals, bit for bit, load_stored of the same tensors in memory.
namespace mhc_test {

inline std::vector<std::string> names(const mhc::checkpoint::Model& model) {
  std::vector<std::string> names;
  for (const mhc::checkpoint::Site& site : model.sites) names.push_back(site.name);
  return names;
}

inline std::vector<mhc::checkpoint::Family> candidates(const mhc::checkpoint::Model& model) {
  std::vector<mhc::checkpoint::Family> families;
  const auto recognition = model.recognize();
  for (const auto& candidate : recognition.candidates()) families.push_back(candidate.family);
  return families;
}

/// The names of one site's tensors; several alphas are concatenated.
struct Named {
  std::string phi;
  std::vector<std::string> alpha;
  std::string base;
  std::string gamma = "";
};

template <class F, class Scalar, class Connection = typename F::Connection>
mhc::Parameters<GeneratedModel::n, Scalar, Connection> from_memory(GeneratedModel& made,
                                                                   const Named& named) {
  mhc::Parameters<GeneratedModel::n, Scalar, Connection> parameters(GeneratedModel::channels);
  const auto phi = made.numbers(named.phi);
  const auto b = made.numbers(named.base);
  std::vector<double> alpha;
  for (const std::string& name : named.alpha) alpha.push_back(made.numbers(name).front());
  if (named.alpha.size() == 1) alpha = made.numbers(named.alpha.front());
  mhc::load_stored(F::layout(), phi.data(), alpha.data(), b.data(), parameters.view());
  if (!named.gamma.empty()) {
    const auto gamma = made.numbers(named.gamma);
    const auto& unfolded = parameters;
    mhc::fold_norm_weight(unfolded.view(), gamma.data(), 0.0, parameters.view());
  }
  return parameters;
}

template <class F, class Scalar, class Connection = typename F::Connection>
void expect_loaded_as(GeneratedModel& made, const mhc::checkpoint::Site& site, const Named& named) {
  SCOPED_TRACE(site.name);
  EXPECT_EQ(site.streams, GeneratedModel::n);
  ASSERT_EQ(site.channels, GeneratedModel::channels);
  mhc::Parameters<GeneratedModel::n, Scalar, Connection> loaded(site.channels);
  mhc::checkpoint::load<F>(site, loaded.view());
  const auto expected = from_memory<F, Scalar, Connection>(made, named);
  EXPECT_TRUE(same_bits(loaded.span().data, expected.span().data, expected.span().size));
}

template <class F>
void expect_loaded(GeneratedModel& made, const mhc::checkpoint::Site& site, const Named& named) {
  expect_loaded_as<F, float>(made, site, named);
  expect_loaded_as<F, double>(made, site, named);
}

template <class F>
void expect_head(GeneratedModel& made, const mhc::checkpoint::Site& site, const Named& named) {
  EXPECT_EQ(site.role, mhc::checkpoint::Role::head);
  expect_loaded_as<F, float, mhc::LearnedCollapse>(made, site, named);
}

/// DeepSeek's names for the tensors of a site.
inline Named v4(const std::string& site, const std::string& end = "") {
  return {site + "fn" + end, {site + "scale" + end}, site + "base" + end};
}

/// Two layers, in reverse order, with the official names.
inline GeneratedModel v4_model(const std::string& prefix = "",
                               GeneratedModel::DType dtype = GeneratedModel::DType::f32,
                               bool has_head = true) {
  GeneratedModel made(dtype);
  made.add("embed.weight", {5, 6});
  if (has_head) made.add_v4_head(prefix + "hc_head_");
  for (const char* layer : {"layers.10.", "layers.2."}) {
    made.add_v4(prefix + layer + "hc_ffn_");
    made.add_v4(prefix + layer + "hc_attn_");
  }
  return made;
}

}  // namespace mhc_test
