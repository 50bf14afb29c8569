// SPDX-License-Identifier: MIT
// Runs one site forward and backward and returns all results. In an unnamed namespace, since the
// units are compiled with different flags, macros and versions.

#include <vector>

namespace {

template <int Streams, class Element, class Connection>
void run_site(std::vector<float>& numbers) {
  constexpr mhc::Index tokens = 7;
  constexpr mhc::Index channels = 37;
  using Block = mhc::Block<Streams, Element, Connection>;
  typename Block::Parameters parameters(channels);
  mhc::initialize(parameters, 3);
  for (mhc::Index i = 0; i < parameters.span().size; ++i) {
    parameters.span().data[i] += 0.01f * static_cast<float>(i % 11) - 0.05f;
  }
  const Block block(parameters);

  mhc::Streams<Element> x(tokens, Streams, channels), x_next(tokens, Streams, channels);
  mhc::Streams<Element> dx_next(tokens, Streams, channels), dx(tokens, Streams, channels);
  mhc::Tokens<Element> u(tokens, channels), dv(tokens, channels);
  for (mhc::Index t = 0; t < tokens; ++t) {
    for (mhc::Index i = 0; i < Streams; ++i) {
      for (mhc::Index c = 0; c < channels; ++c) {
        const auto at = static_cast<float>((31 * t + 17 * i + 7 * c) % 23);
        x.view().row(t, i)[c] = static_cast<Element>(0.1f * at - 1.0f);
        dx_next.view().row(t, i)[c] = static_cast<Element>(0.7f - 0.05f * at);
      }
    }
  }
  typename Block::Saved saved(tokens), dsaved(tokens);
  typename Block::Parameters gradients(channels);
  block.prepare(x, u, saved);
  block.finish(x, u, saved, x_next);
  block.finish_backward(x, u, saved, dx_next, dv, dsaved);
  block.prepare_backward(x, saved, dx_next, dv, dsaved, dx, gradients);

  for (mhc::Index t = 0; t < tokens; ++t) {
    for (mhc::Index i = 0; i < Streams; ++i) {
      for (mhc::Index c = 0; c < channels; ++c) {
        numbers.push_back(static_cast<float>(x_next.view().row(t, i)[c]));
        numbers.push_back(static_cast<float>(dx.view().row(t, i)[c]));
      }
    }
  }
  for (const float gradient : gradients.span()) numbers.push_back(gradient);
}

std::vector<float> run_block() {
  std::vector<float> numbers;
  run_site<4, float, mhc::ManifoldConstrained>(numbers);
  run_site<2, mhc::bf16, mhc::HyperConnections>(numbers);
  return numbers;
}

}  // namespace
