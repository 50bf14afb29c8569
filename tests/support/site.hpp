// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include <mhc/block.hpp>

#include "bits.hpp"
#include "executors.hpp"
#include "fill.hpp"
#include "kernel_instances.hpp"

namespace mhc_test {

/// The inputs of the four calls of a block.
template <class Block>
struct Inputs {
  using Element = typename Block::ElementType;
  mhc::StreamView<const Element> x;
  mhc::StreamView<const Element> dx_next;
  mhc::TokenView<const Element> v;
  mhc::TokenView<const Element> du;

  Inputs slice(mhc::Index begin, mhc::Index end) const {
    return {x.slice(begin, end), dx_next.slice(begin, end), v.slice(begin, end),
            du.slice(begin, end)};
  }
};

/// The outputs of the four calls.
template <class Block>
struct Outputs {
  using Element = typename Block::ElementType;
  mhc::TokenView<Element> u;
  mhc::StreamView<Element> x_next;
  mhc::TokenView<Element> dv;
  mhc::StreamView<Element> dx;
  typename Block::SavedView saved;
  typename Block::SavedView dsaved;
  typename Block::ParametersView grads;

  Outputs slice(mhc::Index begin, mhc::Index end) const {
    return {u.slice(begin, end),
            x_next.slice(begin, end),
            dv.slice(begin, end),
            dx.slice(begin, end),
            saved.slice(begin, end),
            dsaved.slice(begin, end),
            grads};
  }
};

template <class Block>
void run(const Block& block, const Inputs<Block>& in, const Outputs<Block>& out,
         const Executor& exec = serial()) {
  block.prepare(in.x, out.u, out.saved, exec);
  block.finish(in.x, in.v, out.saved, out.x_next, exec);
  block.finish_backward(in.x, in.v, out.saved, in.dx_next, out.dv, out.dsaved, exec);
  block.prepare_backward(in.x, out.saved, in.dx_next, in.du, out.dsaved, out.dx, out.grads, exec);
}

/// Random parameters and inputs of a site. The logits have a standard deviation of about one, half
/// from the streams and half from the biases.
template <class Block>
struct Problem {
  using Element = typename Block::ElementType;

  Problem(mhc::Index tokens, mhc::Index channels, std::uint64_t seed)
      : parameters(channels),
        x(tokens, Block::streams, channels),
        dx_next(tokens, Block::streams, channels),
        v(tokens, channels),
        du(tokens, channels) {
    Random random(seed);
    const auto depth = static_cast<double>(parameters.phi().rows());
    const mhc::Index of_phi = parameters.phi().size();
    fill(random, parameters.span().data, of_phi, depth > 0 ? 1 / std::sqrt(depth) : 1.0);
    fill(random, parameters.span().data + of_phi, parameters.span().size - of_phi);
    fill(random, x.view());
    fill(random, dx_next.view());
    fill(random, v.view());
    fill(random, du.view());
  }

  Inputs<Block> inputs() const { return {x.view(), dx_next.view(), v.view(), du.view()}; }

  typename Block::Parameters parameters;
  mhc::Streams<Element> x;
  mhc::Streams<Element> dx_next;
  mhc::Tokens<Element> v;
  mhc::Tokens<Element> du;
};

/// Memory for all outputs. The gradients of the parameters start at nonzero values, since they
/// accumulate; all others are filled with garbage, since they are assigned.
template <class Block>
struct Results {
  using Element = typename Block::ElementType;

  Results(mhc::Index tokens, mhc::Index channels)
      : u(tokens, channels),
        x_next(tokens, Block::streams, channels),
        dv(tokens, channels),
        dx(tokens, Block::streams, channels),
        saved(tokens),
        dsaved(tokens),
        grads(channels) {
    Random random(99);
    fill(random, grads.span().data, grads.span().size);
    fill(random, u.view());
    fill(random, x_next.view());
    fill(random, dv.view());
    fill(random, dx.view());
    fill(random, saved.view().records());
    fill(random, dsaved.view().records());
  }

  Outputs<Block> outputs() {
    return {u.view(),     x_next.view(), dv.view(),   dx.view(),
            saved.view(), dsaved.view(), grads.view()};
  }

  mhc::Tokens<Element> u;
  mhc::Streams<Element> x_next;
  mhc::Tokens<Element> dv;
  mhc::Streams<Element> dx;
  typename Block::Saved saved;
  typename Block::Saved dsaved;
  typename Block::Parameters grads;
};

/// Compares all per-token outputs of the four calls, bit for bit.
template <class Block>
void expect_same_activations(const Outputs<Block>& a, const Outputs<Block>& b) {
  EXPECT_TRUE(same_bits(a.u, b.u)) << "u";
  EXPECT_TRUE(same_bits(a.x_next, b.x_next)) << "x_next";
  EXPECT_TRUE(same_bits(a.dv, b.dv)) << "dv";
  EXPECT_TRUE(same_bits(a.dx, b.dx)) << "dx";
  EXPECT_TRUE(same_bits(a.saved.records(), b.saved.records())) << "saved";
  EXPECT_TRUE(same_bits(a.dsaved.records(), b.dsaved.records())) << "dsaved";
}

/// Compares the gradients of the parameters as well.
template <class Block>
void expect_same(const Outputs<Block>& a, const Outputs<Block>& b) {
  expect_same_activations(a, b);
  const auto of_a = a.grads.span();
  const auto of_b = b.grads.span();
  EXPECT_TRUE(same_bits(of_a.data, of_b.data, of_a.size)) << "grads";
}

}  // namespace mhc_test
