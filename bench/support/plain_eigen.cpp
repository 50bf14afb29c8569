// SPDX-License-Identifier: MIT
#include "plain_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace plain_eigen {
namespace {

constexpr float norm_eps = 1e-20F;

template <int N>
using Square = Eigen::Matrix<float, N, N, Eigen::RowMajor>;
template <int N>
using Line = Eigen::Array<float, N, 1>;

// One matrix at a time; columns and rows are divided by their sums.
template <int N>
Square<N> sinkhorn(const Square<N>& logits, int iterations) {
  Square<N> m = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
  for (int k = 0; k < iterations; ++k) {
    m.array().rowwise() /= m.colwise().sum().array().eval();
    m.array().colwise() /= m.rowwise().sum().array().eval();
  }
  return m;
}

// Its backward keeps every half step and the sums it divided by: Y = X / s gives
// dX = (dY - sum(Y dY)) / s.
template <int N>
Square<N> sinkhorn_backward(const Square<N>& logits, const Square<N>& dres, int iterations) {
  struct Step {
    Square<N> by_columns, by_rows;
    Line<N> column_sum, row_sum;
  };
  thread_local std::vector<Step> steps;
  steps.resize(static_cast<std::size_t>(iterations));
  const Square<N> start = (logits.rowwise() - logits.colwise().maxCoeff()).array().exp();
  Square<N> m = start;
  for (Step& step : steps) {
    step.column_sum = m.colwise().sum().transpose();
    m.array().rowwise() /= step.column_sum.transpose();
    step.by_columns = m;
    step.row_sum = m.rowwise().sum();
    m.array().colwise() /= step.row_sum;
    step.by_rows = m;
  }
  Square<N> d = dres;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const Line<N> along_rows = d.cwiseProduct(step->by_rows).rowwise().sum();
    d.array().colwise() -= along_rows;
    d.array().colwise() /= step->row_sum;
    const Line<N> along_columns = d.cwiseProduct(step->by_columns).colwise().sum().transpose();
    d.array().rowwise() -= along_columns.transpose();
    d.array().rowwise() /= step->column_sum.transpose();
  }
  return d.cwiseProduct(start);
}

constexpr int n = streams;
using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstRows = Eigen::Map<const Rows>;
using Token = Eigen::Matrix<float, n, Eigen::Dynamic, Eigen::RowMajor>;  // (4, C)
using ConstToken = Eigen::Map<const Token>;
using Row = Eigen::Matrix<float, 1, Eigen::Dynamic>;
using ConstRow = Eigen::Map<const Row>;
using Logits = Eigen::Matrix<float, 1, projections>;
using Streams = Eigen::Matrix<float, 1, n>;
// One quantity of every token's record.
using Records = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, projections, Eigen::RowMajor>,
                           0, Eigen::OuterStride<Record::size>>;

// Elements as floats: floats are mapped in place, bf16 is converted into `copy`.
template <class Matrix>
Eigen::Map<const Matrix> floats(const float* data, Index rows, Index columns, Matrix& /*copy*/) {
  return {data, rows, columns};
}
template <class Matrix>
Eigen::Map<const Matrix> floats(const bf16* data, Index rows, Index columns, Matrix& copy) {
  using Elements =
      Eigen::Matrix<bf16, Matrix::RowsAtCompileTime, Matrix::ColsAtCompileTime, Eigen::RowMajor>;
  copy = Eigen::Map<const Elements>(data, rows, columns).template cast<float>();
  return {copy.data(), rows, columns};
}

// Float results to be stored as elements: in place, or in `copy` until `store`.
template <class Matrix>
Eigen::Map<Matrix> target(float* data, Index rows, Index columns, Matrix& /*copy*/) {
  return {data, rows, columns};
}
template <class Matrix>
Eigen::Map<Matrix> target(bf16* /*data*/, Index rows, Index columns, Matrix& copy) {
  copy.resize(rows, columns);
  return {copy.data(), rows, columns};
}
template <class Map>
void store(const Map& /*values*/, float* /*data*/) {}
template <class Map>
void store(const Map& values, bf16* data) {
  Eigen::Map<Eigen::Matrix<bf16, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      data, values.rows(), values.cols()) = values.template cast<bf16>();
}

template <class Values>
auto sigmoid(const Values& values) {
  return (1.0F + (-values.array()).exp()).inverse().matrix();
}

// alpha_pre, alpha_post and alpha_res, in the layout of the logits.
Logits gates(const float* alpha) {
  Logits all;
  all << Streams::Constant(alpha[0]), Streams::Constant(alpha[1]),
      Eigen::Matrix<float, 1, n * n>::Constant(alpha[2]);
  return all;
}

template <class Element, class Phi>
void prepare(const Parameters<Phi>& parameters, const Element* x, Index tokens, Element* u,
             float* saved) {
  thread_local Rows x_copy, phi_copy, raw;
  thread_local Row u_copy;
  const Index channels = parameters.channels;
  const Index depth = n * channels;
  const auto X = floats(x, tokens, depth, x_copy);
  const auto phi = floats(parameters.phi, depth, Index{projections}, phi_copy);
  const Logits alpha = gates(parameters.alpha);
  const Eigen::Map<const Logits> b(parameters.b);
  raw.resize(tokens, projections);
  raw.noalias() = X * phi;
  for (Index t = 0; t < tokens; ++t) {
    float* const record = saved + t * Record::size;
    Eigen::Map<Streams> pre(record + Record::pre);
    Eigen::Map<Logits> l(record + Record::logits);
    const float r = 1.0F / std::sqrt(X.row(t).squaredNorm() / static_cast<float>(depth) + norm_eps);
    record[Record::inverse_rms] = r;
    Eigen::Map<Logits>(record + Record::raw) = raw.row(t);
    l = (r * raw.row(t)).cwiseProduct(alpha) + b;
    pre = sigmoid(l.head<n>());
    Eigen::Map<Streams>(record + Record::post) = 2.0F * sigmoid(l.segment<n>(n));
    Eigen::Map<Square<n>>(record + Record::res) =
        sinkhorn<n>(Eigen::Map<const Square<n>>(l.data() + 2 * n), parameters.iterations);
    auto u_t = target(u + t * channels, 1, channels, u_copy);
    u_t.noalias() = pre * ConstToken(X.data() + t * depth, n, channels);
    store(u_t, u + t * channels);
  }
}

template <class Element>
void finish(Index channels, const Element* x, const Element* v, const float* saved, Index tokens,
            Element* x_next) {
  thread_local Token x_copy, next_copy;
  thread_local Row v_copy;
  for (Index t = 0; t < tokens; ++t) {
    const float* const record = saved + t * Record::size;
    const auto x_t = floats(x + t * n * channels, n, channels, x_copy);
    const auto v_t = floats(v + t * channels, 1, channels, v_copy);
    auto next_t = target(x_next + t * n * channels, n, channels, next_copy);
    next_t.noalias() = Eigen::Map<const Square<n>>(record + Record::res) * x_t;
    next_t.noalias() += Eigen::Map<const Streams>(record + Record::post).transpose() * v_t;
    store(next_t, x_next + t * n * channels);
  }
}

template <class Element>
void finish_backward(Index channels, const Element* dx_next, const Element* x, const Element* v,
                     const float* saved, Index tokens, Element* dv, float* dsaved) {
  thread_local Token gradient_copy, x_copy;
  thread_local Row v_copy, dv_copy;
  for (Index t = 0; t < tokens; ++t) {
    float* const drecord = dsaved + t * Record::size;
    const auto gradient = floats(dx_next + t * n * channels, n, channels, gradient_copy);
    const auto x_t = floats(x + t * n * channels, n, channels, x_copy);
    const auto v_t = floats(v + t * channels, 1, channels, v_copy);
    auto dv_t = target(dv + t * channels, 1, channels, dv_copy);
    dv_t.noalias() = Eigen::Map<const Streams>(saved + t * Record::size + Record::post) * gradient;
    store(dv_t, dv + t * channels);
    Eigen::Map<Streams>(drecord + Record::pre).setZero();
    Eigen::Map<Streams>(drecord + Record::post).noalias() = v_t * gradient.transpose();
    Eigen::Map<Square<n>>(drecord + Record::res).noalias() = gradient * x_t.transpose();
  }
}

template <class Element>
void prepare_backward(const Parameters<float>& parameters, const Element* x, const Element* dx_next,
                      const Element* du, const float* saved, float* dsaved, Index tokens,
                      Element* dx) {
  thread_local Rows x_copy, dx_copy, draw;
  thread_local Token gradient_copy;
  thread_local Row du_copy;
  const Index channels = parameters.channels;
  const Index depth = n * channels;
  const Logits alpha = gates(parameters.alpha);
  const auto X = floats(x, tokens, depth, x_copy);
  draw.resize(tokens, projections);
  for (Index t = 0; t < tokens; ++t) {
    const float* const record = saved + t * Record::size;
    float* const drecord = dsaved + t * Record::size;
    const Eigen::Map<const Logits> l(record + Record::logits);
    const Eigen::Map<const Logits> raw(record + Record::raw);
    const auto du_t = floats(du + t * channels, 1, channels, du_copy);
    const ConstToken x_t(X.data() + t * depth, n, channels);
    Streams dpre;
    dpre.noalias() = du_t * x_t.transpose();
    dpre += Eigen::Map<const Streams>(drecord + Record::pre);
    const Streams dpost = 2.0F * Eigen::Map<const Streams>(drecord + Record::post);
    const Streams pre = sigmoid(l.head<n>());
    const Streams post = sigmoid(l.segment<n>(n));
    Eigen::Map<Logits> dl(drecord + Record::logits);
    dl.head<n>() = (dpre.array() * pre.array() * (1.0F - pre.array())).matrix();
    dl.segment<n>(n) = (dpost.array() * post.array() * (1.0F - post.array())).matrix();
    Eigen::Map<Square<n>>(dl.data() + 2 * n) = sinkhorn_backward<n>(
        Eigen::Map<const Square<n>>(l.data() + 2 * n),
        Eigen::Map<const Square<n>>(drecord + Record::res), parameters.iterations);
    const Logits dm = dl.cwiseProduct(alpha);
    drecord[Record::inverse_rms] = dm.dot(raw);
    draw.row(t) = record[Record::inverse_rms] * dm;
    Eigen::Map<Logits>(drecord + Record::raw) = draw.row(t);
  }
  auto all_dx = target(dx, tokens, depth, dx_copy);
  all_dx.noalias() = draw * ConstRows(parameters.phi, depth, projections).transpose();
  for (Index t = 0; t < tokens; ++t) {
    const float* const record = saved + t * Record::size;
    const float r = record[Record::inverse_rms];
    const float norm = dsaved[t * Record::size] * r * r * r / static_cast<float>(depth);
    const auto gradient = floats(dx_next + t * depth, n, channels, gradient_copy);
    const auto du_t = floats(du + t * channels, 1, channels, du_copy);
    Eigen::Map<Token> dx_t(all_dx.data() + t * depth, n, channels);
    dx_t.noalias() += Eigen::Map<const Square<n>>(record + Record::res).transpose() * gradient;
    dx_t.noalias() += Eigen::Map<const Streams>(record + Record::pre).transpose() * du_t;
    dx_t -= norm * ConstToken(X.data() + t * depth, n, channels);
  }
  store(all_dx, dx);
}

template <class Element>
void phi_gradient(Index channels, const Element* x, const float* dsaved, Index tokens, float* dphi,
                  Index begin, Index end) {
  thread_local Rows x_copy;
  const Index depth = n * channels;
  const auto X = floats(x, tokens, depth, x_copy);
  const Records draw(dsaved + Record::raw, tokens, projections);
  Eigen::Map<Rows>(dphi + begin * projections, end - begin, projections).noalias() +=
      X.middleCols(begin, end - begin).transpose() * draw;
}

template <class Element>
SiteCalls<Element> site_calls() {
  return {prepare<Element, float>,  prepare<Element, Element>, finish<Element>,
          finish_backward<Element>, prepare_backward<Element>, phi_gradient<Element>};
}

}  // namespace

template <int N>
void sinkhorn_forward(const float* logits, Index count, int iterations, float* res) {
  for (Index t = 0; t < count; ++t) {
    Eigen::Map<Square<N>>(res + t * N * N) =
        sinkhorn<N>(Eigen::Map<const Square<N>>(logits + t * N * N), iterations);
  }
}

template <int N>
void sinkhorn_backward(const float* logits, const float* dres, Index count, int iterations,
                       float* dlogits) {
  for (Index t = 0; t < count; ++t) {
    Eigen::Map<Square<N>>(dlogits + t * N * N) =
        sinkhorn_backward<N>(Eigen::Map<const Square<N>>(logits + t * N * N),
                             Eigen::Map<const Square<N>>(dres + t * N * N), iterations);
  }
}

void gate_gradients(const float* saved, const float* dsaved, Index tokens, float* dalpha,
                    float* db) {
  Eigen::Map<Logits> b(db);
  for (Index t = 0; t < tokens; ++t) {
    const float* const record = saved + t * Record::size;
    const Eigen::Map<const Logits> dl(dsaved + t * Record::size + Record::logits);
    const Logits products = record[Record::inverse_rms] *
                            dl.cwiseProduct(Eigen::Map<const Logits>(record + Record::raw));
    b += dl;
    dalpha[0] += products.head<n>().sum();
    dalpha[1] += products.segment<n>(n).sum();
    dalpha[2] += products.tail<n * n>().sum();
  }
}

#define MHC_SQUARES(N)                                                 \
  template void sinkhorn_forward<N>(const float*, Index, int, float*); \
  template void sinkhorn_backward<N>(const float*, const float*, Index, int, float*);
MHC_SQUARES(2)
MHC_SQUARES(4)
MHC_SQUARES(8)
MHC_SQUARES(16)
#undef MHC_SQUARES

SiteCalls<float> f32_calls() {
  return site_calls<float>();
}
SiteCalls<bf16> bf16_calls() {
  return site_calls<bf16>();
}

}  // namespace plain_eigen
