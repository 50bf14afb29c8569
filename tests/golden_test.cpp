// SPDX-License-Identifier: MIT
// Independently computed numbers, to all their digits: Sinkhorn-Knopp with both recipes and its
// gradient, and a complete DeepSeek-V4 site with all gradients. They use DeepSeek's storage (phi
// (R, K), comb[src, dst]), which also pins the orientation: the transposed matrix gives other
// numbers.

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include <mhc/mhc.hpp>

#include "support/complex_step.hpp"

namespace {

using mhc::Index;
using Matrix = mhc::reference::Matrix<double>;

constexpr double nine_digits = 0.5000001e-9;

void expect_near(const Matrix& actual, const Matrix& expected, double tolerance = nine_digits) {
  ASSERT_EQ(actual.rows(), expected.rows());
  ASSERT_EQ(actual.cols(), expected.cols());
  EXPECT_LE((actual - expected).cwiseAbs().maxCoeff(), tolerance) << "actual\n"
                                                                  << actual << "\nexpected\n"
                                                                  << expected;
}

Matrix make(Index rows, Index cols, std::initializer_list<double> values) {
  Matrix m(rows, cols);
  std::copy(values.begin(), values.end(), m.data());
  return m;
}

// L[j, k] = 2 sin(1 + 1.7 (4j + k)),  G[j, k] = cos(0.5 + 0.9 (4j + k))
Matrix golden_logits() {
  Matrix logits(4, 4);
  for (int e = 0; e < 16; ++e) logits.data()[e] = 2.0 * std::sin(1.0 + 1.7 * e);
  return logits;
}
Matrix golden_cotangent() {
  Matrix cotangent(4, 4);
  for (int e = 0; e < 16; ++e) cotangent.data()[e] = std::cos(0.5 + 0.9 * e);
  return cotangent;
}

const auto v4 = mhc::families::DeepSeekV4::options().residual;
const auto paper = mhc::families::Paper::options().residual;

Matrix sinkhorn(const Matrix& logits, const mhc::SinkhornKnoppOptions& options) {
  Matrix res(4, 4);
  mhc::sinkhorn_knopp<4>({logits.data(), 1, 4, 4}, options,
                         mhc::StreamView<double>(res.data(), 1, 4, 4));
  expect_near(mhc::reference::sinkhorn_knopp(logits, options), res, 1e-14);
  return res;
}

TEST(GoldenSinkhornKnopp, DeepSeekV4InTransposedStorage) {
  // comb[src, dst] is the transpose of H_res.
  const Matrix comb = sinkhorn(golden_logits().transpose(), v4).transpose();
  expect_near(comb, make(4, 4,
                         {0.219516695, 0.590395568, 0.142624868, 0.047461868,  //
                          0.383761468, 0.275941104, 0.172350532, 0.167945896,  //
                          0.288442676, 0.097162609, 0.251606666, 0.362787050,  //
                          0.108278161, 0.036499720, 0.433416934, 0.421804186}));
}

TEST(GoldenSinkhornKnopp, PaperInTheSameStorage) {
  // The numbers are the paper's recipe applied to comb[src, dst], the transpose of H_res[out, in].
  const Matrix comb = sinkhorn(golden_logits().transpose(), paper).transpose();
  expect_near(comb, make(4, 4,
                         {0.219516245, 0.590399271, 0.142622987, 0.047461497,  //
                          0.383763577, 0.275942567, 0.172346865, 0.167946991,  //
                          0.288443320, 0.097160740, 0.251606495, 0.362789445,  //
                          0.108276858, 0.036497422, 0.433423654, 0.421802066}));
}

TEST(GoldenSinkhornKnopp, UnrolledGradient) {
  const Matrix logits = golden_logits().transpose();
  const Matrix cotangent = golden_cotangent().transpose();
  Matrix dlogits(4, 4);
  mhc::sinkhorn_knopp_backward<4>({logits.data(), 1, 4, 4}, v4, {cotangent.data(), 1, 4, 4},
                                  mhc::StreamView<double>(dlogits.data(), 1, 4, 4));
  expect_near(dlogits.transpose(), make(4, 4,
                                        {0.160874317, -0.001563731, -0.113670688, -0.045639899,  //
                                         -0.293006547, 0.018501509, 0.129721625, 0.144783414,    //
                                         0.162357449, -0.028867230, -0.144342028, 0.010851809,   //
                                         -0.030225703, 0.011928215, 0.128292660, -0.109995172}));
}

TEST(GoldenSinkhornKnopp, ZeroLogitsShowTheEffectOfEps) {
  expect_near(sinkhorn(Matrix::Zero(4, 4), v4), Matrix::Constant(4, 4, 0.24999975), 1e-13);
  expect_near(sinkhorn(Matrix::Zero(4, 4), paper), Matrix::Constant(4, 4, 0.25), 1e-15);
}

/// One site, n = 4, C = 2, one token, in DeepSeek's storage.
struct GoldenSite {
  using Block = mhc::Block<4, double>;

  GoldenSite() {
    for (std::size_t i = 0; i < fn.size(); ++i) {
      fn[i] = 0.1 * std::cos(0.37 * static_cast<double>(i / 8) + 0.61 * static_cast<double>(i % 8));
    }
    for (std::size_t r = 0; r < base.size(); ++r) base[r] = 0.05 * (static_cast<double>(r) - 12.0);
    for (std::size_t k = 0; k < x.size(); ++k) {
      x[k] = 0.3 * std::sin(0.7 * static_cast<double>(k) + 0.2);
      dx_next[k] = std::sin(1.0 + 0.5 * static_cast<double>(k));
    }
  }

  std::array<double, 192> fn{};
  std::array<double, 3> scale{0.5, 0.7, 0.9};
  std::array<double, 24> base{};
  std::array<double, 8> x{};
  std::array<double, 2> y{0.2, 0.3};
  std::array<double, 8> dx_next{};
  std::array<double, 2> du{0.4, -0.3};
};

mhc::StreamView<const double> streams(const std::array<double, 8>& values) {
  return {values.data(), 1, 4, 2};
}

Matrix forward(const GoldenSite& golden, mhc::StoredLayout layout, GoldenSite::Block::Saved& saved,
               mhc::Tokens<double>& u) {
  GoldenSite::Block::Parameters parameters(2);
  mhc::load_stored(layout, golden.fn.data(), golden.scale.data(), golden.base.data(),
                   parameters.view());
  const GoldenSite::Block block(parameters, mhc::families::DeepSeekV4::options());
  mhc::Streams<double> x_next(1, 4, 2);
  block.prepare(streams(golden.x), u, saved);
  block.finish(streams(golden.x), {golden.y.data(), 1, 2}, saved, x_next);
  return x_next.token(0);
}

TEST(GoldenSiteTest, Forward) {
  const GoldenSite golden;
  GoldenSite::Block::Saved saved(1);
  mhc::Tokens<double> u(1, 2);
  const Matrix x_next = forward(golden, mhc::families::DeepSeekV4::layout(), saved, u);
  EXPECT_NEAR(saved.inverse_rms().token(0)(0), 4.56166283848201, 0.51e-14 * 10);
  expect_near(saved.pre().matrix(),
              make(1, 4, {0.396602993, 0.385223735, 0.371356236, 0.358519055}));
  expect_near(saved.post().matrix(),
              make(1, 4, {0.660479355, 0.646832985, 0.656284646, 0.691081593}));
  expect_near(saved.res().token(0).transpose(),
              make(4, 4,
                   {0.185625257, 0.221360792, 0.268834274, 0.324178678,  //
                    0.214471286, 0.249574071, 0.269223600, 0.266730043,  //
                    0.307197584, 0.274055378, 0.230788221, 0.187957816,  //
                    0.292704873, 0.255008759, 0.231152905, 0.221132463}));
  expect_near(u.matrix(), make(1, 2, {0.052527194, 0.020775895}));
  expect_near(x_next, make(4, 2,
                           {0.136917184, 0.159618635, 0.156202523, 0.187513271,  //
                            0.171793283, 0.219403954, 0.182350869, 0.251882080}));
  const double loss = mhc_test::inner(streams(golden.dx_next).token(0), x_next).real() +
                      0.4 * u.token(0)(0) - 0.3 * u.token(0)(1);
  EXPECT_NEAR(loss, 0.106519086868, 0.51e-12);
}

TEST(GoldenSiteTest, WrongOrientationIsDetected) {
  const GoldenSite golden;
  GoldenSite::Block::Saved saved(1);
  mhc::Tokens<double> u(1, 2);
  // DeepSeek's Sinkhorn-Knopp ends with dst columns; without the transpose, the order of the axes
  // is exchanged as well.
  const Matrix right = forward(golden, mhc::families::DeepSeekV4::layout(), saved, u);
  const Matrix comb = saved.res().token(0).transpose();
  const mhc::reference::Row<double> post = saved.post().token(0);
  const Matrix x = streams(golden.x).token(0);
  mhc::reference::Row<double> y(2);
  y << golden.y[0], golden.y[1];
  const Matrix wrong = mhc::reference::merge(comb, post, x, y);
  expect_near(wrong.row(0), make(1, 2, {0.128373844, 0.158516105}));
  EXPECT_GT((wrong - right).cwiseAbs().maxCoeff(), 1e-3);
  // A loader with the wrong orientation gives other numbers.
  const Matrix loaded_wrong =
      forward(golden, {mhc::StoredLayout::Phi::rows, mhc::StoredLayout::Res::out_in}, saved, u);
  EXPECT_GT((loaded_wrong - right).cwiseAbs().maxCoeff(), 1e-3);
}

TEST(GoldenSiteTest, Backward) {
  const GoldenSite golden;
  GoldenSite::Block::Parameters parameters(2);
  GoldenSite::Block::Parameters grads(2);
  mhc::load_stored(mhc::families::DeepSeekV4::layout(), golden.fn.data(), golden.scale.data(),
                   golden.base.data(), parameters.view());
  const GoldenSite::Block block(parameters, mhc::families::DeepSeekV4::options());
  GoldenSite::Block::Saved saved(1);
  GoldenSite::Block::Saved dsaved(1);
  mhc::Tokens<double> u(1, 2);
  mhc::Tokens<double> dv(1, 2);
  mhc::Streams<double> dx(1, 4, 2);
  block.prepare(streams(golden.x), u, saved);
  block.finish_backward(streams(golden.x), {golden.y.data(), 1, 2}, saved, streams(golden.dx_next),
                        dv, dsaved);
  block.prepare_backward(streams(golden.x), saved, streams(golden.dx_next),
                         {golden.du.data(), 1, 2}, dsaved, dx, grads);

  expect_near(dx.token(0), make(4, 2,
                                {0.256657074, -0.232515486, 0.406363873, -0.086653441,  //
                                 0.561836001, 0.096687687, 0.482578401, 0.043283584}));
  expect_near(dv.matrix(), make(1, 2, {0.713540402, 0.140169651}));
  std::array<double, 192> dfn{};
  std::array<double, 3> dscale{};
  std::array<double, 24> dbase{};
  mhc::save_stored(mhc::families::DeepSeekV4::layout(), grads.view(), dfn.data(), dscale.data(),
                   dbase.data());
  expect_near(Eigen::Map<const Eigen::RowVector3d>(dscale.data()),
              make(1, 3, {-0.000886859, -0.046556459, -0.138784202}));
  expect_near(Eigen::Map<const Eigen::Matrix<double, 1, 24>>(dbase.data()),
              make(1, 24, {-0.011165936, 0.012512797,  0.015085492,  -0.007099324, 0.206823525,
                           0.158162336,  -0.033956436, -0.201094617, 0.054592184,  0.034941934,
                           -0.022312010, -0.067222108, 0.086170325,  0.071461071,  -0.034560362,
                           -0.123071034, -0.031008179, -0.022243589, 0.015049315,  0.038202452,
                           -0.109754464, -0.084159337, 0.041823159,  0.152090642}));
  expect_near(Eigen::Map<const Eigen::Matrix<double, 1, 8>>(dfn.data()),
              make(1, 8,
                   {-0.001517890, -0.005984841, -0.007637028, -0.005697401, -0.001078197,
                    0.004048099, 0.007270511, 0.007073488}));
  expect_near(Eigen::Map<const Eigen::Matrix<double, 1, 8>>(dfn.data() + 23 * 8),
              make(1, 8,
                   {0.037215192, 0.146734584, 0.187242408, 0.139687202, 0.026434922, -0.099250115,
                    -0.178256272, -0.173425719}));
}

}  // namespace
