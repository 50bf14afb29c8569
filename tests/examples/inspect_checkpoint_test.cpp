// SPDX-License-Identifier: MIT
// The program: its exit codes, its output and the files it writes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "../support/generated_model.hpp"

namespace {

using mhc_test::Folder;
using mhc_test::GeneratedModel;
using testing::AllOf;
using testing::HasSubstr;

struct Ended {
  int code = -1;
  std::string output;  // both streams
};

Ended run(const std::string& arguments) {
  Ended ended;
  std::FILE* const pipe = ::popen((MHC_INSPECT_CHECKPOINT " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ended;
  std::array<char, 4096> part{};
  while (const std::size_t size = std::fread(part.data(), 1, part.size(), pipe)) {
    ended.output.append(part.data(), size);
  }
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  return ended;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  if (!text.empty() && text.back() == at && at != '\n') parts.emplace_back();
  return parts;
}

// Every element is closed in order, and no '&' is unescaped.
testing::AssertionResult is_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return testing::AssertionFailure() << "a tag has no end";
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0 || tag.find('<') != std::string::npos) {
      return testing::AssertionFailure() << "the tag " << tag;
    }
    const std::string name = tag.substr(0, tag.find(' '));
    if (tag[0] == '/') {
      if (open.empty() || "/" + open.back() != name) {
        return testing::AssertionFailure() << name << " was not open";
      }
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
  }
  for (std::size_t at = xml.find('&'); at != std::string::npos; at = xml.find('&', at + 1)) {
    if (xml.find(';', at) > at + 5) return testing::AssertionFailure() << "a lone '&'";
  }
  if (!open.empty()) return testing::AssertionFailure() << open.back() << " stays open";
  return testing::AssertionSuccess();
}

class InspectCheckpoint : public testing::Test {
 protected:
  // The paths of the figure and the page.
  std::string svg() const { return folder / "figures/a.svg"; }
  std::string html() const { return folder / "figures/a.html"; }
  Ended inspect(const std::string& options = "") {
    return run(made.safetensors(folder / "m.safetensors") + " --svg " + svg() + " --html " +
               html() + " " + options);
  }

  Folder folder;
  GeneratedModel made;
};

TEST_F(InspectCheckpoint, InspectsADeepSeekV4Model) {
  for (const char* layer : {"layers.0.", "layers.1.", "mtp.0."}) {
    made.add_v4(std::string(layer) + "hc_attn_");
    made.add_v4(std::string(layer) + "hc_ffn_");
  }
  made.add_v4_head("hc_head_");
  made.add_v4_head("mtp.0.hc_head_");
  const Ended ended = inspect("--tokens 7 --csv " + (folder / "a.csv"));
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.output,
              AllOf(HasSubstr("layers.1.hc_ffn   mlp        4  6  24 x 24   F32"),
                    HasSubstr("hc_head           head       4  6   4 x 24   F32"),
                    HasSubstr("family: deepseek_v4: names as 'layers.0.hc_attn' with a head"),
                    HasSubstr("composite"), HasSubstr("first token of layers.0.hc_attn"),
                    HasSubstr("for 7 tokens, of 8 sites")));

  const auto lines = split(mhc_test::read_file(folder / "a.csv"), '\n');
  ASSERT_EQ(lines.size(), 9u);
  const auto names = split(lines[0], ',');
  EXPECT_EQ(names.back(), "res_3_3");
  for (const std::string& line : lines) EXPECT_EQ(split(line, ',').size(), names.size()) << line;
  EXPECT_THAT(lines[1], testing::StartsWith("layers.0.hc_attn,attention,0,0,4,6,"));
  EXPECT_THAT(lines[8], testing::StartsWith("mtp.0.hc_head,head,0,1,4,6,"));
  const auto column = [&](const char* name) {
    const auto at = std::find(names.begin(), names.end(), name) - names.begin();
    return std::stod(split(lines[1], ',')[static_cast<std::size_t>(at)]);
  };
  EXPECT_LT(column("row_error"), 1e-4);  // V4's exact axis
  EXPECT_NEAR(column("forward_gain"), 1.0, 1e-4);
  double row = 0;
  for (const char* name : {"res_2_0", "res_2_1", "res_2_2", "res_2_3"}) row += column(name);
  EXPECT_NEAR(row, 1.0, 1e-4);

  const std::string figure = mhc_test::read_file(svg());
  EXPECT_TRUE(is_well_formed(figure));
  EXPECT_THAT(figure, AllOf(HasSubstr(">mtp 0 mlp<"), HasSubstr(">composite bwd<")));
  EXPECT_THAT(mhc_test::read_file(html()),
              AllOf(HasSubstr(figure), HasSubstr("<td>deepseek_v4</td>"),
                    HasSubstr("<td>layers.1.hc_ffn</td><td>mlp</td>")));
}

TEST_F(InspectCheckpoint, InspectsEveryOtherFamily) {
  const auto expect = [&](const char* family, const char* options = "") {
    const Ended ended = inspect(options);
    EXPECT_EQ(ended.code, 0) << ended.output;
    EXPECT_THAT(ended.output, HasSubstr(std::string("family: ") + family));
    EXPECT_THAT(ended.output, HasSubstr("composite"));
    EXPECT_TRUE(is_well_formed(mhc_test::read_file(svg())));
    made = GeneratedModel(GeneratedModel::DType::bf16);
  };
  made.add_v4("layers.0.hc_attn_");
  expect("deepseek_v41", "--family deepseek_v41");
  made.add_v4("layers.0.hc_attn_");
  expect("glm53_flash", "--family glm53_flash");
  made.add_openpangu("layers.0.attn_mhc_module");
  made.add_openpangu_head("merge_mhc_module", "");
  expect("openpangu2");
  made.add_hy4("layers.0.hc_mlp_layer.hc_pre.hc_");
  made.add_v4_head("hc_head.hc_head_");
  expect("hy4");
  made.add_megatron("layers.0.mlp_hyper_connection");
  expect("megatron_main", "--family megatron_main");
  made.add_megatron("layers.0.mlp_hyper_connection");
  expect("megatron_dev", "--family megatron_dev");
  made.add_lucidrains("layers.0.0", false);
  expect("lucidrains_hc");
  made.add_lucidrains("layers.0.0", true);
  expect("lucidrains_mhc");
}

TEST_F(InspectCheckpoint, DoesNotOverwriteTheCheckpoint) {
  made.add_v4("layers.0.hc_attn_");
  made.safetensors(folder / "m.safetensors");
  const std::string before = mhc_test::read_file(folder / "m.safetensors");
  for (const char* option : {"--csv ", "--svg ", "--html "}) {
    const Ended ended =
        inspect(std::string("--family deepseek_v4 ") + option + (folder / "m.safetensors"));
    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.output, HasSubstr("is the checkpoint itself"));
    EXPECT_EQ(mhc_test::read_file(folder / "m.safetensors"), before);
  }
}

TEST_F(InspectCheckpoint, OnlyListsTheGatedResidual) {
  made.add_gated("layers.0.attn_hyper_connection");
  const Ended ended = inspect();
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.output, HasSubstr("the gated residual has no H_res: no statistics"));
  EXPECT_EQ(mhc_test::read_file(svg()), "");
}

TEST_F(InspectCheckpoint, RejectsAnAmbiguousFile) {
  made.add_v4("layers.0.hc_attn_");
  const Ended ended = inspect();
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.output, AllOf(HasSubstr("24 x 24"), HasSubstr("family: perhaps deepseek_v41"),
                                  HasSubstr("family: perhaps glm53_flash"),
                                  HasSubstr("choose one with --family NAME")));
}

TEST_F(InspectCheckpoint, RejectsTheWrongFamily) {
  made.add_v4("layers.0.hc_attn_");
  const Ended hy4 = inspect("--family hy4");
  EXPECT_EQ(hy4.code, 1);
  EXPECT_THAT(hy4.output, HasSubstr("does not have the layout of Tencent Hy4"));
  made.add_v4_head("hc_head_");
  const Ended glm = inspect("--family glm53_flash");
  EXPECT_EQ(glm.code, 1);
  EXPECT_THAT(glm.output, HasSubstr("hc_head is a head, but GLM-5.3-Flash has none"));
}

TEST_F(InspectCheckpoint, DependsOnlyOnTheSeed) {
  made.add_v4("layers.0.hc_attn_");
  made.add_v4_head("hc_head_");
  const auto csv = [&](const char* seed) {
    EXPECT_EQ(inspect(std::string("--csv ") + (folder / "a.csv") + " --seed " + seed).code, 0);
    return mhc_test::read_file(folder / "a.csv");
  };
  EXPECT_EQ(csv("3"), csv("3"));
  EXPECT_NE(csv("3"), csv("4"));
}

TEST_F(InspectCheckpoint, ReportsUnreadableAndUnwritableFiles) {
  const Ended missing = run(folder / "none.safetensors");
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.output, HasSubstr("none.safetensors"));
  made.add("weight", {2});
  EXPECT_EQ(inspect().code, 1);
  EXPECT_THAT(inspect().output, HasSubstr("no hyper-connection site in"));
  made.add_v4("layers.0.hc_attn_");
  made.add_v4_head("hc_head_");
  const Ended folder_given = inspect("--csv " + folder.path());
  EXPECT_EQ(folder_given.code, 1);
  EXPECT_THAT(folder_given.output, HasSubstr("not a regular file"));
}

TEST_F(InspectCheckpoint, RejectsInvalidOptions) {
  const auto expect = [](const std::string& arguments, const char* sentence) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, 2) << arguments;
    EXPECT_THAT(ended.output, HasSubstr(sentence));
    EXPECT_EQ(std::count(ended.output.begin(), ended.output.end(), '\n'), 1);
  };
  expect("", "expected a FILE or --demo");
  expect("a b", "two files, 'a' and 'b'");
  expect("a --demo", "--demo makes its own file");
  expect("a --tokens 0", "--tokens: '0' is not a whole number from 1 to 65536");
  expect("a --tokens 3x", "--tokens: '3x'");
  expect("a --seed -1", "--seed: '-1'");
  expect("a --family v4", "--family: 'v4' is not one of deepseek_v4, deepseek_v41");
  expect("a --svg", "--svg needs a value: PATH");
  expect("a --csv ''", "--csv: the path is empty");
  expect("a --verbose", "unknown option '--verbose'");
  EXPECT_EQ(run("--help").code, 0);
}

}  // namespace
