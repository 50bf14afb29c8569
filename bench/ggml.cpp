// SPDX-License-Identifier: MIT
// ggml's hyper-connection operators, f32, n = 4, as in a model's graph, against mhc (the ratio in
// the last column) and plain Eigen:
//
//   prepare   rms_norm, mul_mat, the gates, dsv4_hc_comb, dsv4_hc_pre
//   finish    dsv4_hc_post
//   fused     finish, then prepare of the next site
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "block_site.hpp"
#include "support/program.hpp"
#include "support/shared_by_rows.hpp"
#include "support/work.hpp"

namespace mhc_bench {
namespace {

constexpr int R = n * (n + 2);

/// A graph over the streams of a problem, and its results.
class Graph {
 public:
  explicit Graph(Problem<float>& site)
      : site_(site),
        context_(ggml_init({memory(site), nullptr, false}), ggml_free),
        graph_(ggml_new_graph(context_.get())) {}

  /// x over its root mean square, times phi, to u = pre x, post and comb (res transposed).
  void prepare(ggml_tensor* x, mhc::Parameters<n>& parameters) {
    ggml_context* const c = context_.get();
    const std::int64_t depth = n * site_.channels;
    ggml_tensor* const phi = ggml_new_tensor_2d(c, GGML_TYPE_F32, depth, R);
    ggml_tensor* const b = ggml_new_tensor_1d(c, GGML_TYPE_F32, R);
    ggml_tensor* const alpha = ggml_new_tensor_1d(c, GGML_TYPE_F32, 3);
    for (int r = 0; r < R; ++r) {
      float* const row = ggml_get_data_f32(phi) + r * depth;
      for (mhc::Index k = 0; k < depth; ++k) row[k] = parameters.phi()(k, source(r));
      ggml_get_data_f32(b)[r] = parameters.b()(source(r));
    }
    for (int g = 0; g < 3; ++g) ggml_get_data_f32(alpha)[g] = parameters.alpha()(g);

    ggml_tensor* const flat = ggml_reshape_2d(c, x, depth, site_.tokens);
    ggml_tensor* const mixes = ggml_mul_mat(c, phi, ggml_rms_norm(c, flat, 1e-20F));
    const auto gate = [&](int g) {
      const auto offset = static_cast<std::size_t>(g) * n * sizeof(float);
      ggml_tensor* const part = ggml_view_2d(c, mixes, n, site_.tokens, mixes->nb[1], offset);
      ggml_tensor* const scale =
          ggml_view_1d(c, alpha, 1, static_cast<std::size_t>(g) * sizeof(float));
      return ggml_sigmoid(c, ggml_add(c, ggml_mul(c, part, scale), ggml_view_1d(c, b, n, offset)));
    };
    u = ggml_dsv4_hc_pre(c, x, gate(0));
    post = ggml_scale(c, gate(1), 2.0F);
    comb = ggml_dsv4_hc_comb(c, mixes, alpha, b, 0.0F, iterations);
    for (ggml_tensor* result : {u, post, comb}) ggml_build_forward_expand(graph_, result);
  }

  /// From the kept post and res.
  void finish() {
    ggml_context* const c = context_.get();
    ggml_tensor* const kept_post = ggml_new_tensor_2d(c, GGML_TYPE_F32, n, site_.tokens);
    ggml_tensor* const kept_comb = ggml_new_tensor_3d(c, GGML_TYPE_F32, n, n, site_.tokens);
    for (mhc::Index t = 0; t < site_.tokens; ++t) {
      const float* const record = site_.saved.view().token(t);
      std::copy_n(record + Record::post, n, ggml_get_data_f32(kept_post) + t * n);
      for (int e = 0; e < n * n; ++e) {
        ggml_get_data_f32(kept_comb)[t * n * n + e] = record[Record::res + e % n * n + e / n];
      }
    }
    ggml_tensor* const v = input(ggml_new_tensor_2d, site_.v.data(), site_.channels, site_.tokens);
    x_next = ggml_dsv4_hc_post(c, v, streams(), kept_post, kept_comb);
    ggml_build_forward_expand(graph_, x_next);
  }

  ggml_tensor* streams() {
    return input(ggml_new_tensor_3d, site_.x.data(), site_.channels, std::int64_t{n}, site_.tokens);
  }

  void plan(int threads) {
    if (threads > 1) {
      auto parameters = ggml_threadpool_params_default(threads);
      threads_.reset(ggml_threadpool_new(&parameters));
    }
    plan_ = ggml_graph_plan(graph_, threads, threads_.get());
    work_.resize(plan_.work_size);
    plan_.work_data = work_.data();
  }

  void compute() { ggml_graph_compute(graph_, &plan_); }

  ggml_tensor* u = nullptr;
  ggml_tensor* post = nullptr;
  ggml_tensor* comb = nullptr;
  ggml_tensor* x_next = nullptr;

 private:
  /// comb is [src][dst], res [out][in]: the index of ggml's logit r in ours.
  static int source(int r) {
    const int e = r - 2 * n;
    return e < 0 ? r : 2 * n + e % n * n + e / n;
  }

  /// x over its root mean square and x_next are as large as x, u as v; plus space for the rest.
  static std::size_t memory(const Problem<float>& site) {
    const mhc::Index floats =
        2 * site.x.size() + site.u.size() + n * site.channels * R + 256 * site.tokens;
    return static_cast<std::size_t>(floats) * sizeof(float) + (std::size_t{4} << 20);
  }

  /// Our array as a tensor, without a copy.
  template <class Make, class... Sizes>
  ggml_tensor* input(Make make, float* data, Sizes... sizes) {
    ggml_set_no_alloc(context_.get(), true);
    ggml_tensor* const tensor = make(context_.get(), GGML_TYPE_F32, sizes...);
    ggml_set_no_alloc(context_.get(), false);
    tensor->data = data;
    return tensor;
  }

  Problem<float>& site_;
  std::unique_ptr<ggml_context, decltype(&ggml_free)> context_;
  ggml_cgraph* graph_;
  std::unique_ptr<ggml_threadpool, decltype(&ggml_threadpool_free)> threads_{nullptr,
                                                                             ggml_threadpool_free};
  ggml_cplan plan_{};
  std::vector<std::uint8_t> work_;
};

struct Operation {
  const char* name;
  void (*build)(Graph& graph, Problem<float>& site);
  BlockCalls<float>::Call BlockCalls<float>::*ours;
  void (Site<float>::*plain)(const mhc::ThreadPool&);
  Work (SiteWork::*work)() const;
};

/// Compares ggml with ours, which is compared with plain Eigen elsewhere.
void verify(const std::string& row, const Graph& graph, const Problem<float>& site,
            const mhc::Saved<n>& saved) {
  if (graph.x_next != nullptr) {
    require_close(row, "x_next", ggml_get_data_f32(graph.x_next), site.x_next.data(),
                  site.x_next.size(), tolerance_f32);
  }
  if (graph.u == nullptr) return;
  require_close(row, "u", ggml_get_data_f32(graph.u), site.u.data(), site.u.size(), tolerance_f32);
  for (mhc::Index t = 0; t < site.tokens; ++t) {
    float res[n * n];
    for (int e = 0; e < n * n; ++e) {
      res[e] = ggml_get_data_f32(graph.comb)[t * n * n + e % n * n + e / n];
    }
    const float* const record = saved.view().token(t);
    require_close(row, "res", res, record + Record::res, n * n, tolerance_f32);
    require_close(row, "post", ggml_get_data_f32(graph.post) + t * n, record + Record::post, n,
                  tolerance_f32);
  }
}

void add_rows(Program& program, mhc::Index channels, mhc::Index tokens, int threads) {
  const Operation operations[] = {
      {"prepare",
       [](Graph& graph, Problem<float>& site) { graph.prepare(graph.streams(), site.parameters); },
       &BlockCalls<float>::prepare, &Site<float>::prepare, &SiteWork::prepare},
      {"finish", [](Graph& graph, Problem<float>&) { graph.finish(); }, &BlockCalls<float>::finish,
       &Site<float>::finish, &SiteWork::finish},
      {"fused",
       [](Graph& graph, Problem<float>& site) {
         graph.finish();
         graph.prepare(graph.x_next, site.next_parameters);
       },
       &BlockCalls<float>::fused, &Site<float>::fused, &SiteWork::fused}};
  for (const Operation& operation : operations) {
    const Row row{operation.name, n, channels, tokens, "f32", threads, iterations, "ggml"};
    const SiteWork work{n, iterations, static_cast<double>(channels), static_cast<double>(tokens),
                        sizeof(float)};
    const mhc::ThreadPool& pool = program.pool(threads);
    program.add(row, (work.*operation.work)(), [=, &pool] {
      const auto site = shared_by_rows<Site<float>>(tokens, channels);
      const auto graph = std::make_shared<Graph>(site->site);
      operation.build(*graph, site->site);
      graph->plan(threads);
      const auto ours = our_calls<float>().*operation.ours;
      Calls calls;
      calls.ours = [=] { graph->compute(); };
      calls.plain = [=, &pool] { ((*site).*operation.plain)(pool); };
      calls.other = [=, &pool] { ours(site->site, pool); };
      calls.verify = [=, &pool] {
        ours(site->site, pool);
        graph->compute();
        verify(row.name(), *graph, site->site,
               row.op == "fused" ? site->site.next_saved : site->site.saved);
      };
      return calls;
    });
  }
}

}  // namespace
}  // namespace mhc_bench

int main(int argc, char** argv) {
  mhc_bench::Program program(argc, argv);
  using Sizes = std::vector<mhc::Index>;
  for (const mhc::Index channels : program.quick() ? Sizes{4096} : Sizes{1280, 4096, 7168}) {
    for (const mhc::Index tokens : program.quick() ? Sizes{1, 1024} : Sizes{1, 16, 128, 1024}) {
      for (int threads = 1; threads <= program.most_threads(); ++threads) {
        mhc_bench::add_rows(program, channels, tokens, threads);
      }
    }
  }
  return program.run();
}
