// SPDX-License-Identifier: MIT
// main() of every test program. The environment variable MHC_TEST_INSTRUCTION_SET pins the kernels
// to one instruction set; if the processor lacks it, the program exits with 77, "skipped".
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <mhc/instruction_set.hpp>

namespace {

constexpr int skipped = 77;

int pin(const char* wanted) {
  using mhc::InstructionSet;
  for (const InstructionSet set : {InstructionSet::generic, InstructionSet::avx2,
                                   InstructionSet::avx512, InstructionSet::avx512_bf16}) {
    if (std::strcmp(wanted, mhc::name(set)) != 0) continue;
    if (!mhc::is_available(set)) {
      std::printf("skipped: this processor or this build has no %s\n", wanted);
      return skipped;
    }
    mhc::use_instruction_set(set);
    return 0;
  }
  std::fprintf(stderr,
               "MHC_TEST_INSTRUCTION_SET=%s: expected generic, avx2, avx512 or avx512_bf16\n",
               wanted);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* wanted = std::getenv("MHC_TEST_INSTRUCTION_SET")) {
    if (const int refused = pin(wanted); refused != 0) return refused;
  }
  std::printf("kernels: %s\n", mhc::name(mhc::instruction_set()));
  return RUN_ALL_TESTS();
}
