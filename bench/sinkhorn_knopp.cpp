// SPDX-License-Identifier: MIT
// Sinkhorn-Knopp over a batch of n x n matrices, forward and backward: the library's kernel beside
// the loop one would write with fixed-size Eigen matrices. Time is that of the whole batch; the
// column per_matrix is what to compare.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include <Eigen/Core>

#include <mhc/sinkhorn_knopp.hpp>

namespace {

constexpr mhc::index matrices = 4096;  // 256 KiB of 4 x 4 floats: in L2

template <int N>
using Matrix = Eigen::Matrix<float, N, N, Eigen::RowMajor>;

template <int N>
struct Batch {
  Batch() : logits(matrices * N * N), dres(logits.size()), res(logits.size()) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& value : logits) value = normal(random);
    for (float& value : dres) value = normal(random);
  }
  template <class Element>
  mhc::StreamView<Element> view(Element* data) const {
    return {data, matrices, N, N};
  }
  std::vector<float> logits, dres, res;
};

void report(benchmark::State& state) {
  state.counters["per_matrix"] =
      benchmark::Counter(static_cast<double>(state.iterations() * matrices),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

mhc::SinkhornKnoppOptions iterations(const benchmark::State& state) {
  mhc::SinkhornKnoppOptions options;
  options.iterations = static_cast<int>(state.range(0));
  return options;
}

template <int N>
void forward(benchmark::State& state) {
  Batch<N> batch;
  const auto options = iterations(state);
  for (auto _ : state) {
    mhc::sinkhorn_knopp<N>(batch.view(static_cast<const float*>(batch.logits.data())), options,
                           batch.view(batch.res.data()));
    benchmark::ClobberMemory();
  }
  report(state);
}

template <int N>
void backward(benchmark::State& state) {
  Batch<N> batch;
  const auto options = iterations(state);
  for (auto _ : state) {
    mhc::sinkhorn_knopp_backward<N>(
        batch.view(static_cast<const float*>(batch.logits.data())), options,
        batch.view(static_cast<const float*>(batch.dres.data())), batch.view(batch.res.data()));
    benchmark::ClobberMemory();
  }
  report(state);
}

// The plain loop: one matrix at a time, rows and columns divided by their sums.
template <int N>
void eigen_forward(benchmark::State& state) {
  Batch<N> batch;
  const auto count = state.range(0);
  for (auto _ : state) {
    for (mhc::index t = 0; t < matrices; ++t) {
      const Eigen::Map<const Matrix<N>> logits(batch.logits.data() + t * N * N);
      Matrix<N> m = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
      for (auto k = count; k > 0; --k) {
        m.array().rowwise() /= m.colwise().sum().array().eval();
        m.array().colwise() /= m.rowwise().sum().array().eval();
      }
      Eigen::Map<Matrix<N>>(batch.res.data() + t * N * N) = m;
    }
    benchmark::ClobberMemory();
  }
  report(state);
}

// Its backward keeps every half step and the sums it divided by: Y = X / s gives
// dX = (dY - sum(Y dY)) / s.
template <int N>
void eigen_backward(benchmark::State& state) {
  using Line = Eigen::Array<float, N, 1>;
  Batch<N> batch;
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<Matrix<N>> by_columns(count), by_rows(count);
  std::vector<Line> column_sum(count), row_sum(count);
  for (auto _ : state) {
    for (mhc::index t = 0; t < matrices; ++t) {
      const Eigen::Map<const Matrix<N>> logits(batch.logits.data() + t * N * N);
      const Matrix<N> start = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
      Matrix<N> m = start;
      for (std::size_t k = 0; k < count; ++k) {
        column_sum[k] = m.colwise().sum().transpose();
        m.array().rowwise() /= column_sum[k].transpose();
        by_columns[k] = m;
        row_sum[k] = m.rowwise().sum();
        m.array().colwise() /= row_sum[k];
        by_rows[k] = m;
      }
      Matrix<N> d = Eigen::Map<const Matrix<N>>(batch.dres.data() + t * N * N);
      for (std::size_t k = count; k-- > 0;) {
        const Line along_rows = d.cwiseProduct(by_rows[k]).rowwise().sum();
        d.array().colwise() -= along_rows;
        d.array().colwise() /= row_sum[k];
        const Line along_columns = d.cwiseProduct(by_columns[k]).colwise().sum().transpose();
        d.array().rowwise() -= along_columns.transpose();
        d.array().rowwise() /= column_sum[k].transpose();
      }
      Eigen::Map<Matrix<N>>(batch.res.data() + t * N * N) = d.cwiseProduct(start);
    }
    benchmark::ClobberMemory();
  }
  report(state);
}

#define MHC_BENCH(n)                                             \
  BENCHMARK_TEMPLATE(forward, n)->Arg(1)->Arg(3)->Arg(20);       \
  BENCHMARK_TEMPLATE(eigen_forward, n)->Arg(1)->Arg(3)->Arg(20); \
  BENCHMARK_TEMPLATE(backward, n)->Arg(1)->Arg(3)->Arg(20);      \
  BENCHMARK_TEMPLATE(eigen_backward, n)->Arg(1)->Arg(3)->Arg(20);
MHC_BENCH(2)
MHC_BENCH(4)
MHC_BENCH(8)

}  // namespace
