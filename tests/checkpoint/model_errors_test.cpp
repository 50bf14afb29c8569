// SPDX-License-Identifier: MIT
// An incomplete site or a wrong shape is rejected with a sentence that names the tensor.

#include <gtest/gtest.h>

#include <string>

#include <mhc/checkpoint/model.hpp>
#include <mhc/checkpoint/model_writer.hpp>

#include "../support/generated_model.hpp"
#include "../support/refused.hpp"

namespace {

using mhc::checkpoint::Family;
using mhc::checkpoint::Model;
using mhc_test::Folder;
using mhc_test::GeneratedModel;

constexpr mhc::Index rows = GeneratedModel::rows, depth = GeneratedModel::depth;

class ModelErrors : public testing::Test {
 protected:
  Model open() { return Model(made.safetensors(folder / "m.safetensors")); }

  Folder folder;
  GeneratedModel made;
};

TEST_F(ModelErrors, MissingTensorIsReported) {
  for (const char* part : {"fn", "scale", "base"}) {
    made = GeneratedModel();
    made.add_v4("layers.0.hc_attn_");
    const std::string name = std::string("layers.0.hc_attn_") + part;
    made.remove(name);
    EXPECT_FILE_REFUSED(open(), "tensor '", name, "' is missing, but 'layers.0.hc_attn_");
  }
}

TEST_F(ModelErrors, MissingGammaIsReported) {
  made.add_openpangu("layers.0.attn_mhc_module");
  made.remove("layers.0.attn_mhc_module.norm_gamma");
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.attn_mhc_module.norm_gamma' is missing");
}

TEST_F(ModelErrors, MissingMegatronBiasIsReported) {
  made.add_megatron("self_attention_hyper_connection");
  made.remove("self_attention_hyper_connection.bias");
  EXPECT_FILE_REFUSED(open(), "tensor 'self_attention_hyper_connection.bias' is missing");
}

TEST_F(ModelErrors, InvalidNumberOfRowsIsReported) {
  made.add_v4("layers.0.hc_attn_");
  made.replace("layers.0.hc_attn_fn", {23, depth});
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_fn': it has 23 rows, expected n(n + 2)");
}

TEST_F(ModelErrors, DepthMustBeAMultipleOfTheStreams) {
  made.add_v4("layers.0.hc_attn_");
  made.replace("layers.0.hc_attn_fn", {rows, depth + 1});
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_fn': its rows have 25 numbers",
                      "4 streams");
}

TEST_F(ModelErrors, PhiMustBeAMatrix) {
  made.add_v4("layers.0.hc_attn_");
  made.replace("layers.0.hc_attn_fn", {rows * depth});
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_fn': it is 576, expected R x K");
}

TEST_F(ModelErrors, SizesOfScalesAndBiasesAreChecked) {
  made.add_v4("layers.0.hc_attn_");
  made.replace("layers.0.hc_attn_scale", {2});
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_scale': it is 2, expected 3 for the gates");
  made.replace("layers.0.hc_attn_scale", {3});
  made.replace("layers.0.hc_attn_base", {rows - 1});
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_base': it is 23, expected 24");
  made.replace("layers.0.hc_attn_base", {rows});
  made.add_v4_head("hc_head_");
  made.replace("hc_head_scale", {3});
  EXPECT_FILE_REFUSED(open(), "tensor 'hc_head_scale': it is 3, expected 1");
}

TEST_F(ModelErrors, ShapesOfLucidrainsTensorsAreChecked) {
  made.add_lucidrains("hc", true);
  made.replace("hc.static_alpha", {5, 4});
  EXPECT_FILE_REFUSED(open(), "tensor 'hc.static_alpha': it is 5 x 4, expected 4 x 5");
  made.replace("hc.static_alpha", {4, 5});
  made.replace("hc.norm.gamma", {7});
  EXPECT_FILE_REFUSED(open(), "tensor 'hc.norm.gamma': it is 7, expected 6");
  made.replace("hc.norm.gamma", {6});
  made.replace("hc.residual_scale", {2});
  EXPECT_FILE_REFUSED(open(), "tensor 'hc.residual_scale': it is 2, expected 1");
}

TEST_F(ModelErrors, ShapesOfGatedResidualAreChecked) {
  made.add_gated("layers.0.attn_hyper_connection");
  made.replace("layers.0.attn_hyper_connection.input_mix_weight_up.weight", {3, depth});
  EXPECT_FILE_REFUSED(open(), "input_mix_weight_up.weight': it is 3 x 24, expected 24 x 3");
}

TEST_F(ModelErrors, NonNumericElementsAreReported) {
  made.add_v4("layers.0.hc_attn_");
  made["layers.0.hc_attn_base"].dtype = mhc::checkpoint::DType::i32;
  EXPECT_FILE_REFUSED(open(), "tensor 'layers.0.hc_attn_base': its elements are I32, expected F64");
}

TEST_F(ModelErrors, FileWithoutSitesHasNoFamily) {
  made.add("weight", {3});
  EXPECT_FILE_REFUSED(open().recognize().family(), "has no hyper-connection site");
}

TEST_F(ModelErrors, AmbiguousFamilyIsReported) {
  made.add_v4("layers.0.hc_attn_");
  EXPECT_FILE_REFUSED(open().recognize().family(), "the family is ambiguous, one of deepseek_v4, ",
                      "deepseek_v41, glm53_flash");
}

TEST_F(ModelErrors, ContradictingFamilyIsReported) {
  made.add_hy4("model.layers.0.hc_attn_layer.hc_pre.hc_");
  made.metadata = {{"mhc.family", "deepseek_v4"}};
  EXPECT_FILE_REFUSED(open().recognize(), "mhc.family says deepseek_v4, but it has names as",
                      "of hy4");
  made.metadata = {{"mhc.family", "v5"}};
  EXPECT_FILE_REFUSED(open(), "mhc.family is 'v5', expected the name of a family");
}

TEST_F(ModelErrors, NamesOfTwoFamiliesAreReported) {
  made.add_v4("layers.0.hc_attn_");
  made.add_megatron("layers.1.mlp_hyper_connection");
  EXPECT_FILE_REFUSED(open().recognize(), "have the names of two different families");
}

TEST_F(ModelErrors, InvalidConfigurationIsReported) {
  made.add_v4("layers.0.hc_attn_");
  mhc_test::write_file(folder / "config.json", "{\"rms_norm_eps\": \"small\"}");
  EXPECT_FILE_REFUSED(open(), "config.json: the configuration, byte ", "expected a digit");
  mhc_test::write_file(folder / "config.json", "{\"rms_norm_eps\": 1e999}");
  EXPECT_FILE_REFUSED(open(), "the number '1e999' is too large");
  mhc_test::write_file(folder / "config.json", "{\"hc_sinkhorn_iters\": 0}");
  EXPECT_FILE_REFUSED(
      open(), "the number of Sinkhorn-Knopp iterations is 0, expected an integer from 1 to 1000");
}

TEST_F(ModelErrors, MismatchedParametersAreReported) {
  made.add_v4("layers.0.hc_attn_");
  made.add_v4_head("hc_head_");
  const Model model = open();
  using V4 = mhc::families::DeepSeekV4;
  mhc::Parameters<2> two(GeneratedModel::channels);
  EXPECT_REFUSED(
      mhc::checkpoint::load<V4>(model.sites[0], two.view()),
      "site 'layers.0.hc_attn' has 4 streams of 6 channels, but the parameters have 2 of 6");
  mhc::Parameters<4> four(GeneratedModel::channels);
  EXPECT_REFUSED(
      mhc::checkpoint::load<V4>(model.sites[1], four.view()),
      "site 'hc_head' is a head, but the parameters are those of a site around a sublayer");
  mhc::Parameters<4, float, mhc::LearnedCollapse> head(GeneratedModel::channels);
  EXPECT_REFUSED(mhc::checkpoint::load<V4>(model.sites[0], head.view()), "is not a head");
  mhc::Parameters<4, float, mhc::families::Hy4::Connection> hy4(GeneratedModel::channels);
  EXPECT_REFUSED(mhc::checkpoint::load<mhc::families::Hy4>(model.sites[0], hy4.view()),
                 "does not have the layout of Tencent Hy4");
  mhc::Parameters<4, float, mhc::HyperConnections> hc(GeneratedModel::channels);
  EXPECT_REFUSED(
      mhc::checkpoint::load<mhc::families::LucidrainsHyperConnections>(model.sites[0], hc.view()),
      "does not have the layout of lucidrains");
  for (const Family family : {Family::openpangu2, Family::hy4, Family::megatron_main,
                              Family::lucidrains_hc, Family::gated_residual}) {
    EXPECT_REFUSED(mhc::checkpoint::ModelWriter{family},
                   "expected one whose tensors have DeepSeek-V4's names");
  }
  EXPECT_REFUSED(mhc::checkpoint::with_family(Family::gated_residual, [](auto) {}),
                 "family is gated_residual, expected a family of connections");
}

}  // namespace
