// SPDX-License-Identifier: MIT
// Mistakes that must not compile. tests/misuse/check.cmake compiles this file once for each
// MISTAKE; a comment behind #if is what the compiler must say. MISTAKE 0 is the right way, and
// compiles.
#include <strings.h>  // POSIX has a function index

#include <mhc/gated_residual.hpp>
#include <mhc/mhc.hpp>

constexpr int n = 4;
using Block = mhc::Block<n>;

mhc::Parameters<n> loaded() {
  return mhc::Parameters<n>(8);
}

void site(const Block& block, mhc::Streams<float>& x, mhc::Streams<float>& dx_next,
          mhc::Streams<float>& dx, mhc::Tokens<float>& v, mhc::Tokens<float>& dv,
          mhc::Saved<n>& saved, mhc::Saved<n>& dsaved, mhc::Parameters<n>& grads) {
  const mhc::MergeInputs<float> inputs{x, v, saved.post(), saved.res()};
  const mhc::MergeGradients<float> gradients{dx, dv, dsaved.post(), dsaved.res()};
#if MISTAKE == 0
  block.finish_backward(x, v, saved, dx_next, dv, dsaved);
  block.prepare_backward(x, saved, dx_next, dv, dsaved, dx, grads);
  mhc::merge_backward<n>(inputs, dx_next, gradients);
#elif MISTAKE == 1  // no matching|convert|no viable
  block.finish_backward(dx_next, x, v, saved, dv, dsaved);
#elif MISTAKE == 2  // no matching|convert|no viable
  block.prepare_backward(x, dx_next, dv, saved, dsaved, dx, grads);
#elif MISTAKE == 3  // no matching|convert|no viable
  block.prepare_backward(dx_next, x, dv, saved, dsaved, dx, grads);
#elif MISTAKE == 4  // no matching
  mhc::merge_backward<n>(gradients, dx_next, inputs);
#elif MISTAKE == 5  // no matching
  mhc::merge_backward<n>(dx_next, x, v, saved.post(), saved.res(), dx, dv, dsaved.post(),
                         dsaved.res());
#endif
}

template <class Connection>
void start(mhc::Parameters<n, float, Connection>& parameters) {
#if MISTAKE == 0
  mhc::initialize(parameters, 1, mhc::InitializationOptions<Connection>());
#elif MISTAKE == 6  // no matching
  mhc::initialize(parameters, 1, 3);  // a stream of one connection, a deviation of another
#elif MISTAKE == 7  // no matching
  mhc::initialize(parameters, 1, {3});
#endif
}

template void start(mhc::Parameters<n, float, mhc::ManifoldConstrained>&);
template void start(mhc::Parameters<n, float, mhc::HyperConnections>&);
template void start(mhc::Parameters<n, float, mhc::OrdinaryResidual>&);

void views_of_the_dead() {
#if MISTAKE == 0
  const mhc::Parameters<n> parameters = loaded();
  const Block block(parameters);
  const mhc::OwnedBlock<n> owned(loaded());
#elif MISTAKE == 8   // deleted
  const Block block{mhc::Parameters<n>(64)};
#elif MISTAKE == 9   // deleted
  const Block block(loaded(), mhc::ManifoldConstrained::Options());
#elif MISTAKE == 10  // deleted
  const mhc::Head<n> head(mhc::Head<n>::Parameters(64));
  static_cast<void>(head.channels());
#elif MISTAKE == 11  // deleted
  const mhc::GatedResidual<n> site{mhc::GatedParameters<n>(64, 2)};
#elif MISTAKE == 12  // deleted
  const mhc::GatedCollapse<n> collapse{mhc::GatedParameters<n, float, false>(64, 2)};
#elif MISTAKE == 13  // deleted
  const auto block = mhc::OwnedBlock<n>(loaded()).block();
#endif
}

using namespace mhc;
Index tokens_of(const Streams<float>& x) {
  return x.tokens();
}
