// SPDX-License-Identifier: MIT
// Where the names are ambiguous, the GGUF keys, config.json or the sizes of a release decide.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include <mhc/checkpoint/model.hpp>

#include "../support/loaded_site.hpp"

namespace {

using mhc::checkpoint::Family;
using mhc::checkpoint::Model;
using mhc_test::candidates;
using mhc_test::expect_head;
using mhc_test::expect_loaded;
using mhc_test::Folder;
using mhc_test::GeneratedModel;
using mhc_test::names;
using mhc_test::v4;
using mhc_test::v4_model;
using DType = mhc::checkpoint::DType;
using testing::ElementsAre;
namespace families = mhc::families;

TEST(Recognition, FamilyIsAmbiguousWithoutAHead) {
  const Folder folder;
  auto made = v4_model("model.", DType::f32, false);
  const Model model(made.safetensors(folder / "m.safetensors"));
  EXPECT_THAT(candidates(model),
              ElementsAre(Family::deepseek_v4, Family::deepseek_v41, Family::glm53_flash));
  EXPECT_FALSE(model.recognize().is_certain());
  expect_loaded<families::Glm53Flash>(made, model.sites[0], v4("model.layers.2.hc_attn_"));
  expect_loaded<families::DeepSeekV41>(made, model.sites[0], v4("model.layers.2.hc_attn_"));
}

TEST(Recognition, ConfigurationDecidesFamilyAndSettings) {
  const Folder folder;
  const auto path = v4_model("model.", DType::f32, false).safetensors(folder / "m.safetensors");
  mhc_test::write_file(folder / "config.json",
                       R"({"model_type": "glm5_next", "rms_norm_eps": 2e-5, "hc_eps": null,
                           "hc_sinkhorn_iters": 7, "others": [1, {"a": null}]})");
  const Model glm(path);
  EXPECT_EQ(glm.recognize().family(), Family::glm53_flash);
  EXPECT_THAT(glm.recognize().candidates()[0].reason,
              testing::HasSubstr("config.json says 'glm5_next'"));
  const auto options = mhc::checkpoint::options_of<families::Glm53Flash>(6, glm.evidence.settings);
  EXPECT_EQ(options.norm_eps, 2e-5);
  EXPECT_EQ(options.pre_eps, 1e-6);
  EXPECT_EQ(options.residual.iterations, 7);
  // openPangu's norm uses hc_eps, regardless of rms_norm_eps.
  EXPECT_EQ(mhc::checkpoint::options_of<families::OpenPangu2>(6, glm.evidence.settings).norm_eps,
            1e-6);

  mhc_test::write_file(folder / "config.json",
                       R"({"model_type": "outer", "text_config": {"model_type": "deepseek_v41",
                           "rms_norm_eps": 1e-20, "hc_eps": 1e-6}})");
  const Model v41(path);
  EXPECT_EQ(v41.recognize().family(), Family::deepseek_v41);
  EXPECT_EQ(v41.evidence.settings.norm_eps, 1e-20);
}

TEST(Recognition, SizeOfTheOnlyReleaseDecides) {
  const Folder folder;
  GeneratedModel made;
  made.add("layers.0.hc_attn_fn", {24, 20480});
  made.add("layers.0.hc_attn_base", {24});
  made.add("layers.0.hc_attn_scale", {3});
  const Model model(made.safetensors(folder / "m.safetensors"));
  EXPECT_EQ(model.recognize().family(), Family::deepseek_v41);
  EXPECT_EQ(model.recognize().candidates()[0].reason,
            "names as 'layers.0.hc_attn' without a head, and 20480 = 4 x 5120 as V4.1-Flash");
}

mhc_test::Gguf gguf_keys(const std::string& architecture) {
  mhc_test::Gguf keys;
  constexpr std::uint32_t u32 = 4, f32 = 6, text = 8;
  keys.pair("general.architecture", text, mhc_test::Gguf::text(architecture));
  const std::string site = architecture + ".hyper_connection.";
  keys.pair(site + "count", u32, mhc_test::little_endian(std::uint32_t(4)));
  keys.pair(site + "sinkhorn_iterations", u32, mhc_test::little_endian(std::uint32_t(9)));
  keys.pair(site + "epsilon", f32, mhc_test::little_endian(0.5f));
  keys.pair(architecture + ".attention.layer_norm_rms_epsilon", f32,
            mhc_test::little_endian(0.25f));
  return keys;
}

TEST(Recognition, GgufKeysDecideFamilyAndSettings) {
  const Folder folder;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    GeneratedModel made(dtype);
    made.add_v4("blk.0.hc_attn_", ".weight");
    made.add_v4("blk.0.hc_ffn_", ".weight");
    made.add_v4_head("output_hc_", ".weight");
    made.add_v4("mtp.0.hc_attn_", ".weight");
    made.add_v4_head("mtp.0.hc_head_", ".weight");
    const Model model(made.gguf(folder / "m.gguf", gguf_keys("deepseek4")));
    ASSERT_THAT(names(model), ElementsAre("blk.0.hc_attn", "blk.0.hc_ffn", "output_hc",
                                          "mtp.0.hc_attn", "mtp.0.hc_head"));
    EXPECT_EQ(model.recognize().family(), Family::deepseek_v4);
    expect_loaded<families::DeepSeekV4>(made, model.sites[0], v4("blk.0.hc_attn_", ".weight"));
    expect_head<families::DeepSeekV4>(made, model.sites[2], v4("output_hc_", ".weight"));
    expect_head<families::DeepSeekV4>(made, model.sites[4], v4("mtp.0.hc_head_", ".weight"));
    const auto options =
        mhc::checkpoint::options_of<families::DeepSeekV4>(6, model.evidence.settings);
    EXPECT_EQ(options.norm_eps, 0.25);
    EXPECT_EQ(options.pre_eps, 0.5);
    EXPECT_EQ(options.residual.start_eps, 0.5);
    EXPECT_EQ(options.residual.iterations, 9);
  }
}

TEST(Recognition, GgufArchitectureDecides) {
  const Folder folder;
  GeneratedModel made;
  made.add_v4("blk.0.hc_attn_", ".weight");
  const auto family = [&](const char* architecture) {
    return candidates(Model(made.gguf(folder / "m.gguf", gguf_keys(architecture))));
  };
  EXPECT_THAT(family("deepseek4"), ElementsAre(Family::deepseek_v4));
  EXPECT_THAT(family("deepseek41"), ElementsAre(Family::deepseek_v41));
  EXPECT_THAT(family("glm5-next"), ElementsAre(Family::glm53_flash));
  EXPECT_THAT(family("openpangu"), ElementsAre(Family::openpangu2));
  EXPECT_THAT(family("new"),
              ElementsAre(Family::deepseek_v4, Family::deepseek_v41, Family::glm53_flash));
  made.add_v4_head("output_hc_", ".weight");
  EXPECT_THAT(family("new"), ElementsAre(Family::deepseek_v4, Family::openpangu2));
}

TEST(Recognition, Hy4IsRecognizedInGguf) {
  const Folder folder;
  GeneratedModel made;
  made.add_hy4("blk.0.hc_attn_", ".weight");
  const Model model(made.gguf(folder / "m.gguf", gguf_keys("hy-v4")));
  EXPECT_EQ(model.recognize().family(), Family::hy4);
  expect_loaded<families::Hy4>(made, model.sites[0], v4("blk.0.hc_attn_", ".weight"));
  EXPECT_EQ(mhc::checkpoint::options_of<families::Hy4>(6, model.evidence.settings).post_eps, 0.5);
}

TEST(Recognition, OtherTensorsAreNoSites) {
  const Folder folder;
  GeneratedModel made;
  made.add("layers.0.bias", {3});
  made.add("layers.0.xhc_attn_fn", {24, 24});
  const Model model(made.safetensors(folder / "m.safetensors"));
  EXPECT_TRUE(model.sites.empty());
  EXPECT_TRUE(model.recognize().candidates().empty());
}

TEST(Recognition, EveryFamilyHasAName) {
  for (const char* name : mhc::checkpoint::family_names) {
    ASSERT_TRUE(mhc::checkpoint::family_named(name).has_value());
    EXPECT_STREQ(mhc::checkpoint::name(*mhc::checkpoint::family_named(name)), name);
  }
  EXPECT_FALSE(mhc::checkpoint::family_named("deepseek").has_value());
}

}  // namespace
