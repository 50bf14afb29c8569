// SPDX-License-Identifier: MIT
// Prints a digest of the bits of every output of a site, for each instruction set that there is.
// Built header-only and with mhc::compiled, it must print the same.

#include <cstdint>
#include <cstdio>
#include <cstring>

#include <mhc/mhc.hpp>

#include "../support/site.hpp"

namespace {

using mhc::Index;

/// FNV-1a over the bytes.
class Digest {
 public:
  template <class Element>
  void add(const Element* values, Index size) {
    for (Index i = 0; i < size; ++i) {
      unsigned char bytes[sizeof(Element)];
      std::memcpy(bytes, static_cast<const void*>(values + i), sizeof bytes);
      for (const unsigned char byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3u;
    }
  }

  template <class Element>
  void add(const mhc::TokenView<Element>& rows) {
    for (Index t = 0; t < rows.tokens; ++t) add(rows.row(t), rows.channels);
  }

  template <class Element>
  void add(const mhc::StreamView<Element>& x) {
    for (Index i = 0; i < x.streams; ++i) add(x.stream(i));
  }

  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325u;
};

template <class Block>
void print(const char* name) {
  Digest digest;
  for (const Index tokens : {1, 3, 37}) {
    for (const Index channels : {5, 130, 1300}) {
      const mhc_test::Problem<Block> problem(tokens, channels, 1);
      const Block block(problem.parameters);
      mhc_test::Results<Block> results(tokens, channels);
      const auto out = results.outputs();
      run(block, problem.inputs(), out);
      digest.add(out.u);
      digest.add(out.x_next);
      digest.add(out.dv);
      digest.add(out.dx);
      digest.add(out.saved.records());
      digest.add(out.dsaved.records());
      digest.add(out.grads.span().data, out.grads.span().size);
      block.finish_and_prepare(problem.x, problem.v, out.saved, out.x_next, block, out.u,
                               out.dsaved);
      digest.add(out.u);
      digest.add(out.dsaved.records());
    }
  }
  std::printf("%s %s %016llx\n", mhc::name(mhc::instruction_set()), name,
              static_cast<unsigned long long>(digest.value()));
}

}  // namespace

int main() {
  using mhc::InstructionSet;
  for (const auto set : {InstructionSet::generic, InstructionSet::avx2, InstructionSet::avx512,
                         InstructionSet::avx512_bf16}) {
    if (!mhc::is_available(set)) continue;
    mhc::use_instruction_set(set);
    print<mhc::Block<4>>("mHC, 4 streams of float");
    print<mhc::Block<4, mhc::bf16>>("mHC, 4 streams of bf16");
    print<mhc::Block<2, float, mhc::HyperConnections>>("HC, 2 streams of float");
  }
}
