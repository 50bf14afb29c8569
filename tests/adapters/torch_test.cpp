// SPDX-License-Identifier: MIT
#include <mhc/adapters/torch.hpp>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <sstream>
#include <vector>

#include "../support/refused.hpp"
#include "executor_laws.hpp"
#include "operations.hpp"   // mHC in torch's operations, of the example
#include "page_module.hpp"  // the module of docs/adapters.md, word for word

namespace {

using libtorch_example::OperationsBlockImpl;
using torch::Tensor;
using Options = mhc::ManifoldConstrained::Options;

constexpr std::int64_t channels = 9;

Tensor random(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType type = at::kDouble) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator, at::TensorOptions(at::kDouble)).to(type);
}

/// The largest difference divided by the largest value.
double difference(const Tensor& a, const Tensor& b) {
  EXPECT_TRUE(a.defined() && b.defined());
  EXPECT_EQ(a.sizes(), b.sizes());
  const Tensor expected = b.to(at::kDouble);
  const double scale = expected.abs().max().item<double>();
  return (a.to(at::kDouble) - expected).abs().max().item<double>() / (scale > 0 ? scale : 1.0);
}

/// A sublayer with parameters: tanh(u w), in double, since torch cannot multiply halves on the CPU.
std::function<Tensor(Tensor)> layer(const Tensor& w) {
  return [w](const Tensor& u) {
    return torch::tanh(torch::matmul(u.to(at::kDouble), w.to(at::kDouble))).to(u.scalar_type());
  };
}

/// A site far from its initial values, so that every parameter has a distinct gradient.
template <int N, class Element = double>
mhc::TorchBlock<N, Element> make_block(const Options& options = Options()) {
  mhc::TorchBlock<N, Element> block(channels, options);
  torch::NoGradGuard no_grad;
  block->weights.copy_(random(block->weights.sizes(), 11) * 0.4);
  block->alpha().copy_(torch::tensor({0.7, -0.4, 0.9}));
  return block;
}

struct Gradients {
  Tensor x_next, x, weights, w;
};

/// x_next and the gradients of <cotangent, x_next>, or of the sum of x_next without a cotangent.
template <class Site>
Gradients differentiate(Site& site, const Tensor& x, const Tensor& w, const Tensor& cotangent) {
  const Tensor leaf_x = x.detach().requires_grad_();
  const Tensor leaf_w = w.detach().clone().requires_grad_();
  Gradients result;
  result.x_next = site.forward(leaf_x, layer(leaf_w));
  const Tensor loss = cotangent.defined()
                          ? (result.x_next.to(at::kDouble) * cotangent.to(at::kDouble)).sum()
                          : result.x_next.sum();
  site.zero_grad();
  loss.backward();
  result.x = leaf_x.grad();
  result.weights = site.weights.grad().clone();
  result.w = leaf_w.grad();
  return result;
}

void expect_near(const Gradients& ours, const Gradients& torchs, double forward, double backward) {
  EXPECT_LT(difference(ours.x_next, torchs.x_next), forward);
  EXPECT_LT(difference(ours.x, torchs.x), backward);
  EXPECT_LT(difference(ours.weights, torchs.weights), backward);
  EXPECT_LT(difference(ours.w, torchs.w), backward);
}

/// Compares the module in Element with torch operations in double, from the same numbers.
template <int N, class Element>
void expect_torchs_gradients(const Tensor& x, const Options& options, double forward,
                             double backward) {
  constexpr at::ScalarType type = mhc::detail::torch_dtype<Element>();
  auto block = make_block<N, Element>(options);
  OperationsBlockImpl operations(block->weights.to(at::kDouble), N, options);
  const Tensor w = (random({channels, channels}, 12) / 3.0).to(type);
  const Tensor in = x.to(type);
  const Tensor cotangent = random(x.sizes(), 13).to(type);
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  expect_near(differentiate(*block, in, w, cotangent),
              differentiate(operations, wide(in), wide(w), wide(cotangent)), forward, backward);
}

TEST(TorchBlock, MatchesTorchGradientsInDouble) {
  Options with_eps;  // DeepSeek-V4's
  with_eps.norm_eps = with_eps.pre_eps = 1e-6;
  with_eps.residual.start_eps = with_eps.residual.divisor_eps = 1e-6;
  for (const Options& options : {Options(), with_eps}) {
    expect_torchs_gradients<4, double>(random({37, 4, channels}, 1), options, 1e-12, 1e-10);
    expect_torchs_gradients<4, double>(random({2, 3, 5, 4, channels}, 2), options, 1e-12, 1e-10);
    expect_torchs_gradients<2, double>(random({1, 2, channels}, 3), options, 1e-12, 1e-10);
  }
}

TEST(TorchBlock, MatchesTorchGradientsInOtherTypes) {
  expect_torchs_gradients<4, float>(random({3, 7, 4, channels}, 1), Options(), 2e-6, 2e-5);
  expect_torchs_gradients<4, mhc::bf16>(random({3, 7, 4, channels}, 1), Options(), 2e-2, 4e-2);
  expect_torchs_gradients<4, mhc::f16>(random({3, 7, 4, channels}, 1), Options(), 2e-3, 5e-3);
}

TEST(TorchBlock, MatchesCentralDifferences) {
  auto block = make_block<4>();
  const Tensor x = random({5, 4, channels}, 1);
  const Tensor w = random({channels, channels}, 2) / 3.0;
  const Tensor cotangent = random(x.sizes(), 3);
  const Gradients gradients = differentiate(*block, x, w, cotangent);
  const Tensor x_way = random(x.sizes(), 4);
  const Tensor weights_way = random(block->weights.sizes(), 5);
  const auto loss_at = [&](double h) {
    torch::NoGradGuard no_grad;
    const Tensor before = block->weights.clone();
    block->weights.add_(weights_way * h);
    const Tensor x_next = block->forward(x + x_way * h, layer(w));
    block->weights.copy_(before);
    return (x_next * cotangent).sum().item<double>();
  };
  const double slope = (gradients.x * x_way).sum().item<double>() +
                       (gradients.weights * weights_way).sum().item<double>();
  const double h = 1e-5;
  EXPECT_NEAR((loss_at(h) - loss_at(-h)) / (2 * h), slope, 1e-6 * std::abs(slope) + 1e-6);
}

TEST(TorchBlock, AcceptsExpandedAndStridedTensors) {
  auto block = make_block<4>();
  OperationsBlockImpl operations(block->weights, 4);
  const Tensor w = random({channels, channels}, 2) / 3.0;
  const Tensor base = random({3, 5, 4, channels}, 1);
  const std::vector<Tensor> inputs = {
      base,
      base.transpose(0, 1),                                  // leading dimensions do not fold
      random({4, 3, 5, channels}, 3).permute({1, 2, 0, 3}),  // streams outermost
      random({3, 5, channels, 4}, 4).transpose(-1, -2),      // channels with a stride
      random({3, 5, 4, 2 * channels}, 5).slice(-1, 2, 2 + channels),  // padded rows
      random({3, 5, 1, channels}, 6).expand({3, 5, 4, channels}),     // equal streams, stride 0
      random({1, 1, 4, channels}, 7).expand({3, 5, 4, channels})};
  for (const Tensor& x : inputs) {
    SCOPED_TRACE(testing::Message() << x.strides());
    const Tensor cotangent = random(x.sizes(), 8);
    const Tensor transposed = random({4, channels, x.size(1), x.size(0)}, 9).permute({3, 2, 0, 1});
    for (const Tensor& ways :
         {cotangent, transposed, Tensor()}) {  // that of a sum has strides of 0
      expect_near(differentiate(*block, x, w, ways), differentiate(operations, x, w, ways), 1e-12,
                  1e-10);
    }
  }
}

TEST(TorchBlock, EveryTensorCanBeFrozen) {
  auto block = make_block<4>();
  const Tensor x = random({6, 4, channels}, 1);
  const Tensor w = random({channels, channels}, 2) / 3.0;
  const Tensor cotangent = random(x.sizes(), 3);
  const Gradients all = differentiate(*block, x, w, cotangent);

  const auto identity = [](const Tensor& u) { return u; };
  Tensor leaf = x.clone().requires_grad_();
  block->weights.set_requires_grad(false);
  (block->forward(leaf, layer(w)) * cotangent).sum().backward();
  EXPECT_TRUE(leaf.grad().equal(all.x));
  EXPECT_FALSE(block->forward(x, layer(w)).requires_grad());
  block->weights.set_requires_grad(true);
  block->zero_grad();
  (block->forward(x, layer(w)) * cotangent).sum().backward();
  EXPECT_TRUE(block->weights.grad().equal(all.weights));

  // Only u, or only the streams, is used: an undefined gradient counts as zero.
  leaf = x.clone().requires_grad_();
  block->prepare(leaf).u().sum().backward();
  EXPECT_GT(leaf.grad().abs().max().item<double>(), 0.0);
  leaf = x.clone().requires_grad_();
  (block->forward(leaf, [](const Tensor& u) { return torch::zeros_like(u); }) * cotangent)
      .sum()
      .backward();
  OperationsBlockImpl operations(block->weights, 4);
  Tensor theirs = x.clone().requires_grad_();
  (operations.forward(theirs, [](const Tensor& u) { return torch::zeros_like(u); }) * cotangent)
      .sum()
      .backward();
  EXPECT_LT(difference(leaf.grad(), theirs.grad()), 1e-10);
  EXPECT_FALSE(block->forward(torch::zeros({0, 4, channels}, at::kDouble), identity).numel() > 0);
}

TEST(TorchBlock, MappingsCanBeUsedInALoss) {
  auto block = make_block<4>();
  OperationsBlockImpl operations(block->weights, 4);
  const Tensor x = random({2, 3, 4, channels}, 1);
  Tensor ours = x.clone().requires_grad_();
  Tensor theirs = x.clone().requires_grad_();
  const auto reading = block->prepare(ours);
  const auto maps = operations.mappings(theirs);
  EXPECT_LT(difference(reading.pre(), maps.pre), 1e-12);
  EXPECT_LT(difference(reading.post(), maps.post), 1e-12);
  EXPECT_LT(difference(reading.res(), maps.res), 1e-12);
  const auto loss = [&](const Tensor& pre, const Tensor& post, const Tensor& res) {
    return (pre * random(pre.sizes(), 2)).sum() + (post * random(post.sizes(), 3)).sum() +
           (res * random(res.sizes(), 4)).sum();
  };
  // Two sublayers on one reading, and a loss on the mappings: their gradients add up.
  const Tensor a = random({2, 3, channels}, 5);
  const Tensor b = random(x.sizes(), 6);
  const Tensor two = block->finish(a, reading) * b + block->finish(reading.u(), reading);
  (two.sum() + loss(reading.pre(), reading.post(), reading.res())).backward();
  const auto finish = [&](const Tensor& v) {
    return torch::matmul(maps.res, theirs) + maps.post.unsqueeze(-1) * v.unsqueeze(-2);
  };
  const Tensor u = torch::matmul(maps.pre.unsqueeze(-2), theirs).squeeze(-2);
  ((finish(a) * b + finish(u)).sum() + loss(maps.pre, maps.post, maps.res)).backward();
  EXPECT_LT(difference(ours.grad(), theirs.grad()), 1e-10);
  EXPECT_LT(difference(block->weights.grad(), operations.weights.grad()), 1e-10);
}

TEST(TorchBlock, KeepsNothingWithoutGradients) {
  auto block = make_block<4>();
  const Tensor x = random({6, 4, channels}, 1);
  const Tensor w = random({channels, channels}, 2) / 3.0;
  const Tensor expected = block->forward(x, layer(w)).detach();
  const auto uses = x.use_count();
  {
    torch::NoGradGuard no_grad;
    const Tensor x_next = block->forward(x, layer(w));
    EXPECT_FALSE(x_next.requires_grad());
    EXPECT_EQ(x_next.grad_fn(), nullptr);
    EXPECT_TRUE(x_next.equal(expected));
    EXPECT_EQ(x.use_count(), uses);
  }
  {
    torch::InferenceMode inference;
    EXPECT_TRUE(block->forward(x, layer(w)).equal(expected));
    EXPECT_EQ(x.use_count(), uses);
  }
  {
    const Tensor x_next = block->forward(x, layer(w));
    EXPECT_GT(x.use_count(), uses);
    x_next.sum().backward();
    EXPECT_THROW(x_next.sum().backward(), c10::Error);  // saved tensors were freed
  }
  EXPECT_EQ(x.use_count(), uses);
}

TEST(TorchBlock, ReportsUnsupportedArguments) {
  auto block = make_block<4>();
  const auto identity = [](const Tensor& u) { return u; };
  const Tensor x = random({6, 4, channels}, 1);
  EXPECT_REFUSED(block->prepare(x.to(at::kFloat)),
                 "mhc::TorchBlock: x is of type Float, expected Double");
  EXPECT_REFUSED(block->prepare(Tensor()), "mhc::TorchBlock: x is an undefined tensor");
  EXPECT_REFUSED(block->prepare(x.to_sparse()),
                 "mhc::TorchBlock: x is of layout Sparse, expected Strided");
  EXPECT_REFUSED(block->prepare(x.to(at::kMeta)),
                 "mhc::TorchBlock: x is on the device meta, expected cpu");
  EXPECT_REFUSED(block->prepare(x[0]),
                 "mhc::TorchBlock: x has 2 dimensions, expected (..., streams, channels)");
  EXPECT_REFUSED(block->prepare(random({6, 3, channels}, 1)), "x is 6 x 3 x 9", "6 x 4 x 9");
  EXPECT_REFUSED(block->prepare(random({6, 4, 8}, 1)), "x has 8 channels, the parameters have 9");
  EXPECT_REFUSED(block->forward(x, [](const Tensor& u) { return u.slice(0, 1); }), "v is 5 x 9",
                 "expected 6 x 9");
  EXPECT_REFUSED(block->forward(x, [](const Tensor& u) { return u.to(at::kFloat); }),
                 "mhc::TorchBlock: v is of type Float, expected Double");
  EXPECT_REFUSED(mhc::TorchBlock<4>(0), "mhc::TorchBlock: channels is 0, expected at least 1");
  Options options;
  options.residual.iterations = 0;
  EXPECT_REFUSED(mhc::TorchBlock<4>(8, options), "mhc::TorchBlock: option sinkhorn iterations");

  const Tensor leaf = x.clone().requires_grad_();
  const Tensor loss = block->forward(leaf, identity).square().sum();
  EXPECT_REFUSED(torch::autograd::grad({loss}, {leaf}, {}, true, true),
                 "mhc::TorchBlock: backward was called with create_graph");

  // torch itself reports an input that is modified between forward and backward.
  Tensor changed = x.clone();
  const Tensor x_next = block->forward(changed, identity);
  changed.add_(1.0);
  EXPECT_THROW(x_next.sum().backward(), c10::Error);
}

TEST(TorchBlock, WeightsMustBeOfTheComputeType) {
  auto block = make_block<4, mhc::bf16>();
  EXPECT_EQ(block->weights.scalar_type(), at::kFloat);
  const Tensor x = random({6, 4, channels}, 1, at::kBFloat16);
  block->to(at::kBFloat16);
  EXPECT_REFUSED(block->prepare(x), "mhc::TorchBlock: weights is of type BFloat16, expected Float");
  block->to(at::kFloat);
  EXPECT_EQ(block->prepare(x).u().scalar_type(), at::kBFloat16);
}

TEST(TorchBlock, CanBeSavedLoadedAndCloned) {
  auto block = make_block<4>();
  const Tensor x = random({6, 4, channels}, 1);
  const auto identity = [](const Tensor& u) { return u; };
  const Tensor expected = block->forward(x, identity);
  std::stringstream file;
  torch::save(block, file);
  mhc::TorchBlock<4, double> loaded(channels);
  EXPECT_FALSE(loaded->forward(x, identity).equal(expected));
  torch::load(loaded, file);
  EXPECT_TRUE(loaded->forward(x, identity).equal(expected));
  ASSERT_EQ(loaded->named_parameters().size(), 1U);
  EXPECT_EQ(loaded->named_parameters()[0].key(), "weights");

  const auto copy = std::dynamic_pointer_cast<mhc::TorchBlockImpl<4, double>>(block->clone());
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->forward(x, identity).equal(expected));
  EXPECT_NE(copy->weights.data_ptr(), block->weights.data_ptr());
  EXPECT_EQ(block->phi().sizes(), (std::vector<std::int64_t>{4 * channels, 24}));
  EXPECT_EQ(block->b().numel(), 24);
  std::ostringstream text;
  text << *block;
  EXPECT_EQ(text.str(), "TorchBlock<4>(channels=9)");
}

TEST(TorchBlock, ConnectionIsATemplateArgument) {
  mhc::TorchBlock<4, double, mhc::OrdinaryResidual> block(channels);
  const Tensor x = random({6, 4, channels}, 1).requires_grad_();
  const Tensor x_next = block->forward(x, [](const Tensor& u) { return u.tanh(); });
  EXPECT_LT(difference(x_next, x + x.mean(-2, true).tanh()), 1e-14);
  const Tensor ours = torch::autograd::grad({x_next.square().sum()}, {x})[0];
  const Tensor theirs =
      torch::autograd::grad({(x + x.mean(-2, true).tanh()).square().sum()}, {x})[0];
  EXPECT_LT(difference(ours, theirs), 1e-12);
}

TEST(TorchBlock, BitsDoNotDependOnTheThreads) {
  auto block = make_block<4, float>();
  const Tensor x = random({7, 300, 4, channels}, 1, at::kFloat);
  const Tensor w = random({channels, channels}, 2, at::kFloat) / 3.0;
  const Tensor cotangent = random(x.sizes(), 3, at::kFloat);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Tensor v = at::tanh(at::matmul(block->prepare(x).u(), w)).detach();
  const auto run = [&] {
    Tensor leaf = x.clone().requires_grad_();
    const Tensor x_next = block->forward(leaf, [&](const Tensor& u) { return u * 0.5 + v; });
    block->zero_grad();
    (x_next * cotangent).sum().backward();
    return std::vector<Tensor>{x_next.detach(), leaf.grad(), block->weights.grad().clone()};
  };
  const auto one = run();
  at::set_num_threads(2);
  const auto two = run();
  at::set_num_threads(threads);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(one[i].equal(two[i])) << i;
}

TEST(TorchHead, MatchesTorchGradients) {
  mhc::TorchHead<4, double> head(channels);
  {
    torch::NoGradGuard no_grad;
    head->weights.copy_(random(head->weights.sizes(), 1) * 0.4);
  }
  const Tensor x = random({3, 5, 4, channels}, 2).transpose(0, 1);
  const Tensor cotangent = random({5, 3, channels}, 3);
  const auto differentiate_head = [&](const auto& forward) {
    Tensor leaf = x.detach().requires_grad_();
    const Tensor h = forward(leaf);
    head->zero_grad();
    (h * cotangent).sum().backward();
    return std::vector<Tensor>{h, leaf.grad(), head->weights.grad().clone()};
  };
  const auto ours = differentiate_head([&](const Tensor& in) { return head->forward(in); });
  const auto theirs = differentiate_head([&](const Tensor& in) {
    const Tensor flat = in.flatten(-2);
    const Tensor r = (flat.square().mean(-1, true) + head->options().norm_eps).rsqrt();
    const Tensor logits = head->alpha() * (torch::matmul(flat, head->phi()) * r) + head->b();
    return (torch::sigmoid(logits).unsqueeze(-1) * in).sum(-2);
  });
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_LT(difference(ours[i], theirs[i]), 1e-10);
}

TEST(TorchStreams, ExpandAndCollapseMatchTorchGradients) {
  const Tensor h = random({3, 5, channels}, 1).transpose(0, 1);
  const Tensor x = random({5, 3, 4, channels}, 2);
  const auto expect_same = [](const Tensor& input, const auto& ours, const auto& theirs) {
    for (const bool is_sum : {false, true}) {
      std::vector<Tensor> grads;
      const auto differentiate_one = [&](const auto& f) {
        Tensor leaf = input.detach().requires_grad_();
        const Tensor out = f(leaf);
        (is_sum ? out.sum() : (out * random(out.sizes(), 3)).sum()).backward();
        grads.push_back(leaf.grad());
        return out;
      };
      EXPECT_LT(difference(differentiate_one(ours), differentiate_one(theirs)), 1e-14);
      EXPECT_LT(difference(grads[0], grads[1]), 1e-14);
    }
  };
  expect_same(
      h, [](const Tensor& t) { return mhc::torch_expand_repeat(t, 4); },
      [](const Tensor& t) {
        return t.unsqueeze(-2).expand({5, 3, 4, channels});
      });
  expect_same(
      h, [](const Tensor& t) { return mhc::torch_expand_one_hot(t, 4, 2); },
      [](const Tensor& t) {
        const Tensor one = torch::zeros({4, 1}, at::kDouble);
        one[2] = 1.0;
        return t.unsqueeze(-2) * one;
      });
  expect_same(x, mhc::torch_collapse_mean, [](const Tensor& t) { return t.mean(-2); });
  expect_same(x, mhc::torch_collapse_sum, [](const Tensor& t) { return t.sum(-2); });
  EXPECT_EQ(mhc::torch_collapse_sum(x.to(at::kBFloat16)).scalar_type(), at::kBFloat16);
  EXPECT_REFUSED(mhc::torch_expand_repeat(h.to(at::kLong), 4),
                 "mhc::torch_expand_repeat: h is of type Long, expected Float");
  EXPECT_REFUSED(mhc::torch_expand_repeat(h, 0), "streams is 0, expected at least 1");
  EXPECT_REFUSED(mhc::torch_expand_one_hot(h, 4, 4), "stream is 4, expected 0 to 3");
  EXPECT_REFUSED(mhc::torch_collapse_mean(h[0][0]),
                 "mhc::torch_collapse_mean: x has 1 dimensions, expected (..., streams, channels)");
}

TEST(TorchViews, ShareTheTensorsMemory) {
  const Tensor x = random({2, 3, 4, 8}, 1, at::kFloat).slice(-1, 1, 6);
  const auto view = mhc::torch_streams<const float>("x", x);
  EXPECT_EQ(view.data, x.data_ptr());
  EXPECT_EQ(view.tokens, 6);
  EXPECT_EQ(view.channels, 5);
  EXPECT_EQ(*view.row(4, 3), x[1][1][3][0].item<float>());
  EXPECT_EQ(mhc::torch_tokens<mhc::bf16>("u", random({8, 5}, 2, at::kBFloat16)).tokens, 8);
  EXPECT_EQ(mhc::torch_tokens<mhc::f16>("u", random({8, 5}, 2, at::kHalf)).tokens, 8);
  EXPECT_EQ(mhc::torch_tokens<double>("u", random({8, 5}, 2)).tokens, 8);
  EXPECT_REFUSED(mhc::torch_streams<float>("x", x.transpose(-1, -2)),
                 "mhc::torch_streams: x has channels with a stride of 8 elements, expected 1");
  EXPECT_REFUSED(mhc::torch_streams<float>("x", x.transpose(0, 1)),
                 "x of sizes (3, 2, 4, 5) and strides (32, 96, 8, 1)", "pass it contiguous");
  EXPECT_REFUSED(mhc::torch_tokens<float>("u", x[0][0][0]),
                 "mhc::torch_tokens: u has 1 dimensions, expected (..., channels)");
}

TEST(TorchExecutor, MeetsTheRequirements) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    const mhc::TorchExecutor exec;
    mhc_test::expect_covers(exec);
    mhc_test::expect_passes_exceptions(exec);
    mhc_test::expect_nests(exec);
    mhc_test::expect_same_bits(exec);
    if (threads == 2) mhc_test::expect_parallel(exec);
  }
  at::set_num_threads(before);
}

TEST(Page, ModuleOfThePageTrains) {
  Layer layer(channels);
  EXPECT_EQ(layer.parameters().size(), 3U);
  const Tensor h = random({2, 5, channels}, 1, at::kFloat);
  torch::optim::SGD optimizer(layer.parameters(), 0.1);
  const auto step = [&] {
    const Tensor x = mhc::torch_expand_repeat(h, 4);
    const Tensor loss = mhc::torch_collapse_mean(layer.forward(x)).square().mean();
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.item<float>();
  };
  const float first = step();
  for (int i = 0; i < 20; ++i) step();
  EXPECT_LT(step(), first);
}

}  // namespace
