// SPDX-License-Identifier: MIT
// Compares graphs of ggml's own operators for hyper-connections and of ours, with the same weights:
// the largest difference of the outputs, and the time of each operator and of a chain of sites.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iterator>

#include "sites.hpp"

namespace ggml_example {
namespace {

constexpr double tolerance = 1e-4;  // sums of n C products in float, in another order

struct Row {
  const char* name;
  Graph theirs;
  Graph ours;
  std::vector<double> their_seconds = {};
  std::vector<double> our_seconds = {};
};

double seconds(Graph& graph) {
  const auto start = std::chrono::steady_clock::now();
  graph.compute();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double least(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

/// The largest |a - b|, relative to the largest |b|, or absolute if that is below 1; infinite for
/// different sizes.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double largest = 0.0, scale = 1.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    largest = std::isfinite(error) ? std::max(largest, error) : HUGE_VAL;
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return largest / scale;
}

void copy(const ggml_tensor* from, ggml_tensor* to) {
  const std::vector<float> values = values_of(from);
  ggml_backend_tensor_set(to, values.data(), 0, ggml_nbytes(to));
}

/// Our records in ggml's order.
struct Recorded {
  std::vector<float> pre, post, comb;
};

Recorded recorded(const std::vector<float>& saved, std::int64_t tokens) {
  const mhc::SavedView<n, const float> view(saved.data(), tokens);
  Recorded result;
  for (mhc::Index t = 0; t < tokens; ++t) {
    result.pre.insert(result.pre.end(), view.pre().row(t), view.pre().row(t) + n);
    result.post.insert(result.post.end(), view.post().row(t), view.post().row(t) + n);
    for (int e = 0; e < n * n; ++e) {  // [src][dst] from [out][in]
      result.comb.push_back(view.res().row(t, e % n)[e / n]);
    }
  }
  return result;
}

void run(std::int64_t channels, std::int64_t tokens, int repetitions) {
  const Backend backend(ggml_backend_cpu_init());
  Memory memory(backend.get());
  std::mt19937 random(1);
  const std::vector<Weights> weights{Weights(memory, channels), Weights(memory, channels)};
  const Weights& first = weights.front();
  ggml_tensor* const x = memory.tensor(channels, n, tokens);
  ggml_tensor* const v = memory.tensor(channels, tokens);
  // The results of the mappings' graphs, for the operators that follow.
  const Mappings kept{memory.tensor(n * (n + 2), tokens), memory.tensor(n, tokens),
                      memory.tensor(n, tokens), memory.tensor(n, n, tokens)};
  ggml_tensor* const saved = memory.tensor(Site::record, tokens);
  memory.allocate();
  for (const Weights& site : weights) site.randomize(random);
  fill(x, 1.0F, random);
  fill(v, 1.0F, random);
  std::vector<std::unique_ptr<Site>> sites;
  sites.reserve(weights.size());
  for (const Weights& w : weights) sites.push_back(w.site());
  const Site& site = *sites.front();

  const auto graph = [&](const Graph::Build& build) { return Graph(backend.get(), build); };
  using Tensors = std::vector<ggml_tensor*>;
  Row rows[] = {{"mappings",  //
                 graph([&](ggml_context* c) {
                   const Mappings m = mappings(c, x, first);
                   return Tensors{m.mixes, m.pre, m.post, m.comb};
                 }),
                 graph([&](ggml_context* c) { return Tensors{site.mappings(c, x)}; })},
                {"aggregate",  //
                 graph([&](ggml_context* c) { return Tensors{ggml_dsv4_hc_pre(c, x, kept.pre)}; }),
                 graph([&](ggml_context* c) { return Tensors{site.aggregate(c, x, saved)}; })},
                {"prepare",  //
                 graph([&](ggml_context* c) {
                   const Mappings m = mappings(c, x, first);
                   return Tensors{ggml_dsv4_hc_pre(c, x, m.pre), m.post, m.comb};
                 }),
                 graph([&](ggml_context* c) {
                   const auto [u, record] = site.prepare(c, x);
                   return Tensors{u, record};
                 })},
                {"finish",  //
                 graph([&](ggml_context* c) {
                   return Tensors{ggml_dsv4_hc_post(c, v, x, kept.post, kept.comb)};
                 }),
                 graph([&](ggml_context* c) { return Tensors{site.finish(c, x, v, saved)}; })},
                {"chain",  //
                 graph([&](ggml_context* c) { return Tensors{chain(c, x, weights)}; }),
                 graph([&](ggml_context* c) { return Tensors{chain(c, x, sites)}; })}};
  Graph comb_alone = graph([&](ggml_context* c) { return Tensors{comb(c, kept.mixes, first)}; });

  ggml_backend_cpu_set_n_threads(backend.get(), 1);
  for (Row& row : rows) {
    row.theirs.compute();
    row.ours.compute();
    if (&row != rows) continue;
    copy(row.theirs.result(0), kept.mixes);
    copy(row.theirs.result(1), kept.pre);
    copy(row.theirs.result(2), kept.post);
    copy(row.theirs.result(3), kept.comb);
    copy(row.ours.result(0), saved);
  }
  std::printf("n = %d, C = %lld, %lld tokens, chain: %zu sites\n\n", n,
              static_cast<long long>(channels), static_cast<long long>(tokens), sites.size());
  std::printf("largest difference, relative to the largest value or 1\n");
  bool is_equal = true;
  const auto compare = [&](const char* name, const std::vector<float>& ours,
                           const std::vector<float>& theirs) {
    const double error = difference(ours, theirs);
    std::printf("  %-9s %.1e\n", name, error);
    is_equal = is_equal && error < tolerance;
  };
  const Recorded mine = recorded(values_of(saved), tokens);
  compare("pre", mine.pre, values_of(kept.pre));
  compare("post", mine.post, values_of(kept.post));
  compare("comb", mine.comb, values_of(kept.comb));
  for (std::size_t i = 1; i < std::size(rows); ++i) {
    compare(rows[i].name, values_of(rows[i].ours.result(0)), values_of(rows[i].theirs.result(0)));
  }
  if (!is_equal) throw std::runtime_error("the outputs differ by more than rounding");

  std::printf("\nmicroseconds per token, %d repetitions in turns\n", repetitions);
  std::printf("                            medians                      minima\n");
  std::printf("  threads               ggml      mhc  ratio        ggml      mhc  ratio\n");
  for (int threads = 1; threads <= 2; ++threads) {
    ggml_backend_cpu_set_n_threads(backend.get(), threads);
    std::vector<double> comb_seconds;
    for (Row& row : rows) {
      row.their_seconds.clear();
      row.our_seconds.clear();
    }
    for (int r = 0; r < repetitions; ++r) {  // in turns: a slow phase of the machine affects all
      for (Row& row : rows) {
        row.their_seconds.push_back(seconds(row.theirs));
        row.our_seconds.push_back(seconds(row.ours));
      }
      comb_seconds.push_back(seconds(comb_alone));
    }
    const double scale = 1e6 / static_cast<double>(tokens);
    for (const Row& row : rows) {
      const double theirs = median(row.their_seconds), ours = median(row.our_seconds);
      const double their_least = least(row.their_seconds), our_least = least(row.our_seconds);
      std::printf("  %7d  %-9s %9.2f %8.2f %6.2f %11.2f %8.2f %6.2f\n", threads, row.name,
                  theirs * scale, ours * scale, theirs / ours, their_least * scale,
                  our_least * scale, their_least / our_least);
      if (&row == rows) {
        std::printf("  %7d  of these dsv4_hc_comb alone: %.2f\n", threads,
                    median(comb_seconds) * scale);
      }
    }
  }
}

}  // namespace
}  // namespace ggml_example

int main(int argc, char** argv) {
  const bool is_quick = argc == 2 && std::strcmp(argv[1], "--quick") == 0;
  if (argc > 1 && !is_quick) {
    std::fprintf(stderr, "ggml: the only option is --quick, a small site\n");
    return 2;
  }
  try {
    ggml_example::run(is_quick ? 256 : 4096, is_quick ? 32 : 512, is_quick ? 3 : 9);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ggml: %s\n", error.what());
    return 1;
  }
}
