// SPDX-License-Identifier: MIT
// The sites of every published family are found by their names. Their parameters equal, bit for
// bit, those that load_stored produces from the same tensors in memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <mhc/checkpoint/load_gated.hpp>
#include <mhc/checkpoint/model.hpp>
#include <mhc/checkpoint/model_writer.hpp>

#include "../support/loaded_site.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::checkpoint::Family;
using mhc::checkpoint::Model;
using mhc::checkpoint::Role;
using mhc::checkpoint::Site;
using mhc_test::candidates;
using mhc_test::expect_head;
using mhc_test::expect_loaded;
using mhc_test::Folder;
using mhc_test::from_memory;
using mhc_test::GeneratedModel;
using mhc_test::Named;
using mhc_test::names;
using mhc_test::v4;
using mhc_test::v4_model;
using DType = mhc::checkpoint::DType;
using testing::ElementsAre;
namespace families = mhc::families;

constexpr int n = 4;

void expect_v4(GeneratedModel& made, const Model& model, const std::string& prefix) {
  ASSERT_THAT(names(model), ElementsAre(prefix + "layers.2.hc_attn", prefix + "layers.2.hc_ffn",
                                        prefix + "layers.10.hc_attn", prefix + "layers.10.hc_ffn",
                                        prefix + "hc_head"));
  EXPECT_EQ(model.sites[1].role, Role::mlp);
  EXPECT_EQ(model.sites[2].role, Role::attention);
  EXPECT_EQ(model.sites[2].layer, 10);
  EXPECT_EQ(model.recognize().family(), Family::deepseek_v4);
  for (std::size_t i = 0; i < 4; ++i) {
    expect_loaded<families::DeepSeekV4>(made, model.sites[i], v4(model.sites[i].name + "_"));
  }
  expect_head<families::DeepSeekV4>(made, model.sites[4], v4(prefix + "hc_head_"));
}

TEST(Model, LoadsDeepSeekV4) {
  const Folder folder;
  for (const char* prefix : {"", "model.", "language_model."}) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
      auto made = v4_model(prefix, dtype);
      expect_v4(made, Model(made.safetensors(folder / "m.safetensors")), prefix);
    }
  }
}

TEST(Model, LoadsShardedDeepSeekV4) {
  const Folder folder;
  auto made = v4_model();
  expect_v4(made, Model(made.sharded(folder)), "");
}

TEST(Model, MtpLayersComeLast) {
  const Folder folder;
  auto made = v4_model();
  made.add_v4("mtp.0.hc_attn_");
  made.add_v4("mtp.0.hc_ffn_");
  made.add_v4_head("mtp.0.hc_head_");
  const Model model(made.safetensors(folder / "m.safetensors"));
  ASSERT_EQ(model.sites.size(), 8u);
  EXPECT_EQ(model.sites[4].name, "hc_head");
  for (std::size_t i = 5; i < 8; ++i) {
    EXPECT_TRUE(model.sites[i].is_mtp);
    EXPECT_EQ(model.sites[i].layer, 0);
  }
  expect_head<families::DeepSeekV4>(made, model.sites[7], v4("mtp.0.hc_head_"));
}

TEST(Model, LoadsHuggingFaceDeepSeekV4) {
  const Folder folder;
  GeneratedModel made;
  made.add_v4("model.layers.0.attn_hc.");
  made.add_v4("model.layers.0.ffn_hc.");
  made.add_v4_head("model.hc_head.hc_");
  const Model model(made.safetensors(folder / "m.safetensors"));
  ASSERT_THAT(names(model),
              ElementsAre("model.layers.0.attn_hc", "model.layers.0.ffn_hc", "model.hc_head"));
  EXPECT_EQ(model.recognize().family(), Family::deepseek_v4);
  expect_loaded<families::DeepSeekV4>(made, model.sites[1], v4("model.layers.0.ffn_hc."));
  expect_head<families::DeepSeekV4>(made, model.sites[2], v4("model.hc_head.hc_"));
}

TEST(Model, LoadsOpenPangu) {
  const Folder folder;
  for (const char* end : {"", "_pre"}) {
    GeneratedModel made(DType::bf16);
    made.add_openpangu("model.layers.0.attn_mhc_module");
    made.add_openpangu("model.layers.0.mlp_mhc_module");
    made.add_openpangu_head("model.merge_mhc_module", end);
    const Model model(made.safetensors(folder / "m.safetensors"));
    ASSERT_EQ(model.sites.size(), 3u);
    EXPECT_EQ(model.recognize().family(), Family::openpangu2);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string module = model.sites[i].name + ".";
      const std::string branch = module + "branch_";
      const std::string last = i == 2 ? end : "";
      const Named named{module + "phi.weight",
                        {branch + "alpha" + last},
                        branch + "beta" + last,
                        module + "norm_gamma"};
      if (i < 2) expect_loaded<families::OpenPangu2>(made, model.sites[i], named);
      if (i == 2) expect_head<families::OpenPangu2>(made, model.sites[i], named);
    }
  }
}

TEST(Model, LoadsHy4) {
  const Folder folder;
  GeneratedModel made;
  made.add_hy4("model.layers.0.hc_attn_layer.hc_pre.hc_");
  made.add_hy4("model.layers.0.hc_mlp_layer.hc_pre.hc_");
  made.add_v4_head("model.hc_head.hc_head_");
  const Model model(made.safetensors(folder / "m.safetensors"));
  ASSERT_THAT(names(model), ElementsAre("model.layers.0.hc_attn_layer.hc_pre",
                                        "model.layers.0.hc_mlp_layer.hc_pre", "model.hc_head"));
  EXPECT_EQ(model.recognize().family(), Family::hy4);
  expect_loaded<families::Hy4>(made, model.sites[1], v4(model.sites[1].name + ".hc_"));
  expect_head<families::Hy4>(made, model.sites[2], v4("model.hc_head.hc_head_"));
}

TEST(Model, MegatronBranchesShareNames) {
  const Folder folder;
  GeneratedModel made(DType::bf16);
  const std::string layer = "decoder.layers.3.";
  made.add_megatron(layer + "self_attention_hyper_connection");
  made.add_megatron(layer + "mlp_hyper_connection");
  made.add("decoder.layers.3.mlp.linear_fc1.bias", {7});
  const auto path = made.safetensors(folder / "m.safetensors");
  const Model model(path);
  ASSERT_THAT(names(model), ElementsAre(layer + "self_attention_hyper_connection",
                                        layer + "mlp_hyper_connection"));
  EXPECT_EQ(model.sites[0].role, Role::attention);
  EXPECT_EQ(model.sites[1].role, Role::mlp);
  EXPECT_EQ(model.sites[1].layer, 3);
  EXPECT_THAT(candidates(model), ElementsAre(Family::megatron_main, Family::megatron_dev));
  const std::string module = model.sites[0].name + ".";
  const Named named{module + "mapping_proj.weight",
                    {module + "alpha_pre", module + "alpha_post", module + "alpha_res"},
                    module + "bias"};
  expect_loaded<families::MegatronMain>(made, model.sites[0], named);
  expect_loaded<families::MegatronDev>(made, model.sites[0], named);

  made.metadata = {{"mhc.family", "megatron_dev"}};
  made.safetensors(path);
  EXPECT_EQ(Model(path).recognize().family(), Family::megatron_dev);
}

template <class F>
void expect_lucidrains(bool is_manifold, bool is_view, Family family) {
  const Folder folder;
  GeneratedModel made;
  made.add_lucidrains("layers.1.0", is_manifold, is_view);
  const Model model(made.safetensors(folder / "m.safetensors"));
  ASSERT_THAT(names(model), ElementsAre("layers.1.0"));
  EXPECT_EQ(model.sites[0].layer, 1);
  EXPECT_EQ(model.recognize().family(), family);

  using Parameters = mhc::Parameters<n, float, typename F::Connection>;
  Parameters expected(GeneratedModel::channels), loaded(GeneratedModel::channels);
  const auto numbers = [&](const char* name) {
    return made.numbers(std::string("layers.1.0.") + name);
  };
  const auto phi = numbers("dynamic_alpha_fn"), beta = numbers("dynamic_beta_fn");
  const auto static_alpha = numbers("static_alpha"), static_beta = numbers("static_beta");
  const auto pre = numbers(is_manifold ? "pre_branch_scale" : "dynamic_alpha_scale");
  const auto post = numbers(is_manifold ? "h_post_scale" : "dynamic_beta_scale");
  const auto res = numbers(is_manifold ? "residual_scale" : "dynamic_alpha_scale");
  const mhc::StoredAlphaBeta<const double> stored{
      phi.data(), beta.data(), static_alpha.data(), static_beta.data(),
      pre.data(), post.data(), res.data()};
  mhc::load_stored(stored, expected.view());
  const auto gamma = numbers("norm.gamma");
  const Parameters unfolded = expected;
  mhc::fold_norm_weight(unfolded.view(), gamma.data(), 1.0, expected.view());
  mhc::checkpoint::load<F>(model.sites[0], loaded.view());
  EXPECT_TRUE(mhc_test::same_bits(loaded.span().data, expected.span().data, expected.span().size));
}

TEST(Model, LoadsLucidrains) {
  for (const bool is_view : {false, true}) {
    expect_lucidrains<families::LucidrainsHyperConnections>(false, is_view, Family::lucidrains_hc);
    expect_lucidrains<families::LucidrainsManifold>(true, is_view, Family::lucidrains_mhc);
  }
}

TEST(Model, GatedResidualIsListed) {
  const Folder folder;
  GeneratedModel made;
  made.add_gated("model.layers.0.attn_hyper_connection");
  made.add_gated("model.layers.0.mlp_hyper_connection");
  made.add_gated("model.hyper_connection_mixer", true);
  const Model model(made.safetensors(folder / "m.safetensors"));
  ASSERT_EQ(model.sites.size(), 3u);
  for (const Site& site : model.sites) {
    EXPECT_EQ(site.streams, n);
    EXPECT_EQ(site.channels, GeneratedModel::channels);
  }
  EXPECT_EQ(model.sites[2].role, Role::head);
  EXPECT_EQ(model.recognize().family(), Family::gated_residual);
}

TEST(Model, LoadsGatedResidual) {
  constexpr mhc::Index depth = GeneratedModel::depth;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    GeneratedModel made(dtype);
    made.add_gated("model.layers.0.attn_hyper_connection");
    made.add_gated("model.hyper_connection_mixer", true);
    const Folder folder;
    const Model model(made.safetensors(folder / "m.safetensors"));
    const auto& site = model.sites.front();
    const mhc::Index rank = mhc::checkpoint::rank_of(site);
    mhc::GatedParameters<n> parameters(site.channels, rank);
    mhc::checkpoint::load_gated(site, parameters.view());
    const std::string module = "model.layers.0.attn_hyper_connection.";
    const auto gamma = made.numbers(module + "hc_norm.weight");
    const auto down = made.numbers(module + "input_mix_weight_down.weight");
    const auto up = made.numbers(module + "input_mix_weight_up.weight");
    const auto inject = made.numbers(module + "block_inject_weight.weight");
    const auto at = [](const std::vector<double>& values, mhc::Index i) {
      return static_cast<float>(values[static_cast<std::size_t>(i)]);
    };
    for (mhc::Index k = 0; k < depth; ++k) {
      EXPECT_EQ(parameters.norm().data()[k], at(gamma, k));
      for (mhc::Index r = 0; r < rank; ++r) {
        EXPECT_EQ(parameters.down()(k, r), at(down, r * depth + k));
        EXPECT_EQ(parameters.up()(k, r), at(up, k * rank + r));
      }
      for (mhc::Index i = 0; i < n; ++i)
        EXPECT_EQ(parameters.inject()(k, i), at(inject, i * depth + k));
    }
    mhc::GatedParameters<n, float, false> mixer(site.channels, rank);
    mhc::checkpoint::load_gated(model.sites.back(), mixer.view());
    EXPECT_EQ(mixer.down()(depth - 1, rank - 1),
              at(made.numbers("model.hyper_connection_mixer.input_mix_weight_down.weight"),
                 rank * depth - 1));
    EXPECT_REFUSED(mhc::checkpoint::load_gated(site, mixer.view()), "is not a mixer");
    EXPECT_REFUSED(mhc::checkpoint::load_gated(model.sites.back(), parameters.view()),
                   "is a mixer");
    mhc::GatedParameters<n / 2> fewer(2 * site.channels, rank);
    EXPECT_REFUSED(mhc::checkpoint::load_gated(site, fewer.view()), "has 4 streams");
    mhc::GatedParameters<n> narrow(site.channels - 1, rank);
    EXPECT_REFUSED(mhc::checkpoint::load_gated(site, narrow.view()), "has 24 numbers per token");
  }
}

TEST(Model, SaveAndLoadRoundTrips) {
  const Folder folder;
  auto made = v4_model();
  const auto attention = from_memory<families::DeepSeekV4, float>(made, v4("layers.2.hc_attn_"));
  const auto head =
      from_memory<families::DeepSeekV4, float, mhc::LearnedCollapse>(made, v4("hc_head_"));
  for (const Family family : {Family::deepseek_v4, Family::glm53_flash}) {
    mhc::checkpoint::ModelWriter writer(family);
    writer.add("layers.2.hc_attn", attention.view());
    writer.add("hc_head", head.view());
    writer.write(folder / "saved.safetensors");
    const Model saved(folder / "saved.safetensors");
    EXPECT_EQ(saved.recognize().family(), family);
    ASSERT_THAT(names(saved), ElementsAre("layers.2.hc_attn", "hc_head"));
    expect_loaded<families::DeepSeekV4>(made, saved.sites[0], v4("layers.2.hc_attn_"));
    expect_head<families::DeepSeekV4>(made, saved.sites[1], v4("hc_head_"));
    const auto phi = made.numbers("layers.2.hc_attn_fn");
    std::vector<double> stored(phi.size());
    saved.file.find("layers.2.hc_attn_fn")->copy_to(stored.data());
    EXPECT_EQ(stored, phi);
  }
}

}  // namespace
