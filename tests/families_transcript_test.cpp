// SPDX-License-Identifier: MIT
// The transcripts alone, without the library: published numbers to all their digits, which marginal
// is exact, the initial mappings, and which families are special cases of others.

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <string>
#include <vector>

#include "families/birkhoff.hpp"
#include "families/deepseek_v4.hpp"
#include "families/deepseek_v41.hpp"
#include "families/glm_5_3.hpp"
#include "families/hy4.hpp"
#include "families/hyper_connections.hpp"
#include "families/krom_hc.hpp"
#include "families/liger.hpp"
#include "families/lucidrains.hpp"
#include "families/megatron_dev.hpp"
#include "families/megatron_main.hpp"
#include "families/mhc_lite.hpp"
#include "families/openpangu_2.hpp"
#include "families/paper.hpp"
#include "families/static_connections.hpp"

namespace {

using namespace families;

constexpr double nine_digits = 0.5000001e-9;

/// From element `first` on.
template <class T>
void expect_values(const Tensor<T>& actual, std::initializer_list<double> expected, int first = 0,
                   double tolerance = nine_digits) {
  int i = first;
  for (const double value : expected) {
    EXPECT_NEAR(std::real(actual(i)), value, tolerance) << "element " << i;
    ++i;
  }
}

template <class T>
double largest_difference(const Tensor<T>& a, const Tensor<T>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0.0;
  for (int i = 0; i < a.size(); ++i) {
    largest = std::fmax(largest, std::fabs(std::real(a(i)) - std::real(b(i))));
  }
  return largest;
}

template <class T>
void expect_same(const Tensor<T>& a, const Tensor<T>& b, double tolerance = 1e-13) {
  EXPECT_LE(largest_difference(a, b), tolerance);
}

template <class T>
void expect_same(const Mappings<T>& a, const Mappings<T>& b, double tolerance = 1e-13) {
  expect_same(a.pre, b.pre, tolerance);
  expect_same(a.post, b.post, tolerance);
  expect_same(a.comb, b.comb, tolerance);
}

Complex inner(const Tensor<Complex>& a, const Tensor<Complex>& b) {
  Complex sum{};
  for (int i = 0; i < a.size(); ++i) sum += a(i) * b(i);
  return sum;
}

Tensor<double> random_square(int n, double stddev, std::uint64_t seed) {
  Tensor<double> logits(n, n);
  Numbers(seed).fill(logits, 0.0, stddev);
  return logits;
}

double row_error(const Tensor<double>& m) {
  double error = 0.0;
  for (int i = 0; i < m.rows(); ++i) error = std::fmax(error, std::fabs(row_sum(m, i) - 1.0));
  return error;
}

double column_error(const Tensor<double>& m) {
  return row_error(transpose(m));
}

// Published numbers.

// L[j, k] = 2 sin(1 + 1.7 (4j + k)),  G[j, k] = cos(0.5 + 0.9 (4j + k))
template <class T>
Tensor<T> golden_logits() {
  Tensor<T> logits(4, 4);
  for (int e = 0; e < 16; ++e) logits(e) = 2.0 * std::sin(1.0 + 1.7 * e);
  return logits;
}

TEST(PublishedNumbers, SinkhornKnopp) {
  const auto logits = golden_logits<double>();
  expect_values(deepseek_v4_sinkhorn(logits, 1e-6, 20),
                {0.219516695, 0.590395568, 0.142624868, 0.047461868,  //
                 0.383761468, 0.275941104, 0.172350532, 0.167945896,  //
                 0.288442676, 0.097162609, 0.251606666, 0.362787050,  //
                 0.108278161, 0.036499720, 0.433416934, 0.421804186});
  expect_values(transpose(paper_sinkhorn(transpose(logits), 20)),
                {0.219516245, 0.590399271, 0.142622987, 0.047461497,  //
                 0.383763577, 0.275942567, 0.172346865, 0.167946991,  //
                 0.288443320, 0.097160740, 0.251606495, 0.362789445,  //
                 0.108276858, 0.036497422, 0.433423654, 0.421802066});
  expect_values(deepseek_v4_sinkhorn(Tensor<double>(4, 4), 1e-6, 20), {0.24999975}, 5, 1e-13);
}

TEST(PublishedNumbers, UnrolledGradient) {
  auto logits = golden_logits<Complex>();
  Tensor<Complex> cotangent(4, 4);
  for (int e = 0; e < 16; ++e) cotangent(e) = std::cos(0.5 + 0.9 * e);
  const auto loss = [&] { return inner(cotangent, deepseek_v4_sinkhorn(logits, 1e-6, 20)); };
  expect_values(complex_step(logits, loss),
                {0.160874317, -0.001563731, -0.113670688, -0.045639899,  //
                 -0.293006547, 0.018501509, 0.129721625, 0.144783414,    //
                 0.162357449, -0.028867230, -0.144342028, 0.010851809,   //
                 -0.030225703, 0.011928215, 0.128292660, -0.109995172});
}

TEST(PublishedNumbers, DeepSeekV4Site) {
  DeepSeekV4Site<Complex> site(4, 2);
  for (int r = 0; r < 24; ++r) {
    for (int k = 0; k < 8; ++k) site.fn(r, k) = 0.1 * std::cos(0.37 * r + 0.61 * k);
    site.base(r) = 0.05 * (r - 12);
  }
  site.scale(0) = 0.5;
  site.scale(1) = 0.7;
  site.scale(2) = 0.9;
  Tensor<Complex> x(4, 2);
  Tensor<Complex> y(2);
  for (int k = 0; k < 8; ++k) x(k) = 0.3 * std::sin(0.7 * k + 0.2);
  y(0) = 0.2;
  y(1) = 0.3;

  const auto at = site.mappings(x);
  expect_values(at.pre, {0.396602993, 0.385223735, 0.371356236, 0.358519055});
  expect_values(at.post, {0.660479355, 0.646832985, 0.656284646, 0.691081593});
  expect_values(at.comb, {0.185625257, 0.221360792, 0.268834274, 0.324178678,  //
                          0.214471286, 0.249574071, 0.269223600, 0.266730043,  //
                          0.307197584, 0.274055378, 0.230788221, 0.187957816,  //
                          0.292704873, 0.255008759, 0.231152905, 0.221132463});
  expect_values(site.layer_input(at, x), {0.052527194, 0.020775895});
  expect_values(site.merge(at, x, y), {0.136917184, 0.159618635, 0.156202523, 0.187513271,
                                       0.171793283, 0.219403954, 0.182350869, 0.251882080});
  expect_values(site.merge(at, x, y, true), {0.128373844, 0.158516105});

  const auto loss = [&] {
    const auto now = site.mappings(x);
    const auto u = site.layer_input(now, x);
    const auto next = site.merge(now, x, y);
    Complex sum = 0.4 * u(0) - 0.3 * u(1);
    for (int e = 0; e < 8; ++e) sum += std::sin(1.0 + 0.5 * e) * next(e);
    return sum;
  };
  EXPECT_NEAR(loss().real(), 0.106519086868, 0.5e-12);
  expect_values(complex_step(x, loss), {0.256657074, -0.232515486, 0.406363873, -0.086653441,
                                        0.561836001, 0.096687687, 0.482578401, 0.043283584});
  expect_values(complex_step(y, loss), {0.713540402, 0.140169651});
  expect_values(complex_step(site.scale, loss), {-0.000886859, -0.046556459, -0.138784202});
  expect_values(
      complex_step(site.base, loss),
      {-0.011165936, 0.012512797,  0.015085492,  -0.007099324, 0.206823525,  0.158162336,
       -0.033956436, -0.201094617, 0.054592184,  0.034941934,  -0.022312010, -0.067222108,
       0.086170325,  0.071461071,  -0.034560362, -0.123071034, -0.031008179, -0.022243589,
       0.015049315,  0.038202452,  -0.109754464, -0.084159337, 0.041823159,  0.152090642});
  const auto dfn = complex_step(site.fn, loss);
  expect_values(dfn, {-0.001517890, -0.005984841, -0.007637028, -0.005697401, -0.001078197,
                      0.004048099, 0.007270511, 0.007073488});
  expect_values(dfn,
                {0.037215192, 0.146734584, 0.187242408, 0.139687202, 0.026434922, -0.099250115,
                 -0.178256272, -0.173425719},
                23 * 8);
}

// For every family: the gradient is right, the transposed matrix gives another result, and the
// exact marginal preserves its quantity.

/// The quantity that the residual mapping preserves, up to rounding and its eps.
enum Keeps { nothing = 0, equal_streams = 1, sum = 2, both = 3 };

template <template <class> class Model, Keeps Kept>
struct Family {
  template <class T>
  static Model<T> make() {
    return Model<T>(4, 5);
  }
  static constexpr Keeps keeps = Kept;
};

template <StreamNorm Norm>
struct OriginalFamily {
  template <class T>
  static HyperConnectionsSite<T> make() {
    return HyperConnectionsSite<T>(4, 5, Norm);
  }
  static constexpr Keeps keeps = nothing;
};

struct RenormalizedPanguFamily {
  template <class T>
  static OpenPangu2Site<T> make() {
    return OpenPangu2Site<T>(4, 5, true);
  }
  static constexpr Keeps keeps = equal_streams;
};

template <StaticResidual Kind, Keeps Kept>
struct StaticFamily {
  template <class T>
  static StaticSite<T> make() {
    return StaticSite<T>(4, Kind);
  }
  static constexpr Keeps keeps = Kept;
};

using Families = testing::Types<
    Family<DeepSeekV4Site, equal_streams>, Family<DeepSeekV41Site, equal_streams>,
    Family<Glm53Site, equal_streams>, Family<OpenPangu2Site, equal_streams>,
    RenormalizedPanguFamily, Family<Hy4Site, both>, Family<MegatronMainSite, sum>,
    Family<MegatronDevSite, equal_streams>, Family<LigerSite, sum>,
    Family<PaperSite, equal_streams>, Family<BirkhoffSite, both>,
    OriginalFamily<StreamNorm::layer_norm>, OriginalFamily<StreamNorm::rms_norm>,
    Family<HyperConnectionsEq5Site, nothing>, Family<LucidrainsHcSite, nothing>,
    Family<LucidrainsMhcSite, sum>, Family<MhcLiteSite, both>, Family<MhcLiteSinkhornSite, sum>,
    Family<KromHcSite, both>, StaticFamily<StaticResidual::sinkhorn, equal_streams>,
    StaticFamily<StaticResidual::permutation, both>, StaticFamily<StaticResidual::kronecker, both>,
    StaticFamily<StaticResidual::identity, both>, StaticFamily<StaticResidual::affine, nothing>>;

template <class F>
class EveryFamily : public testing::Test {
 protected:
  EveryFamily() {
    randomize(site, 1);
    randomize(complex_site, 1);
  }

  decltype(F::template make<double>()) site = F::template make<double>();
  decltype(F::template make<Complex>()) complex_site = F::template make<Complex>();
  Tensor<double> x = random_streams<double>(4, 5, 2);
  Tensor<double> y = random_channels<double>(5, 3);
};

struct FamilyNames {
  template <class F>
  static std::string GetName(int i) {
    static const char* const names[] = {"DeepSeekV4",
                                        "DeepSeekV41",
                                        "Glm53",
                                        "OpenPangu2",
                                        "OpenPangu2Renormalized",
                                        "Hy4",
                                        "MegatronMain",
                                        "MegatronDev",
                                        "Liger",
                                        "Paper",
                                        "Birkhoff",
                                        "HyperConnectionsLayerNorm",
                                        "HyperConnectionsRmsNorm",
                                        "HyperConnectionsEq5",
                                        "LucidrainsHc",
                                        "LucidrainsMhc",
                                        "MhcLite",
                                        "MhcLiteSinkhorn",
                                        "KromHc",
                                        "StaticSinkhorn",
                                        "StaticPermutation",
                                        "StaticKronecker",
                                        "StaticIdentity",
                                        "StaticAffine"};
    return names[i];
  }
};
TYPED_TEST_SUITE(EveryFamily, Families, FamilyNames);

/// A loss with random cotangents of all results of a site.
template <class Site, class T>
T random_loss(const Site& site, const Tensor<T>& x, const Tensor<T>& y) {
  const Mappings<T> at = site.mappings(x);
  Numbers numbers(4);
  T loss{};
  for (const Tensor<T>& output :
       {weighted_sum(at.pre, x), site.merge(at, x, y), at.pre, at.post, at.comb}) {
    for (int i = 0; i < output.size(); ++i) loss += numbers.normal() * output(i);
  }
  return loss;
}

TYPED_TEST(EveryFamily, ComplexStepMatchesFiniteDifferences) {
  auto complex_x = random_streams<Complex>(4, 5, 2);
  auto complex_y = random_channels<Complex>(5, 3);
  const auto complex_loss = [&] { return random_loss(this->complex_site, complex_x, complex_y); };
  const auto loss = [&] { return random_loss(this->site, this->x, this->y); };
  EXPECT_NEAR(complex_loss().real(), loss(), 1e-12);
  const auto expect_derivative = [&](Tensor<Complex>& complex, Tensor<double>& variable,
                                     const std::string& name) {
    const Tensor<double> gradient = complex_step(complex, complex_loss);
    for (int i = 0; i < variable.size(); ++i) {
      const double value = variable(i);
      variable(i) = value + 1e-5;
      const double above = loss();
      variable(i) = value - 1e-5;
      const double below = loss();
      variable(i) = value;
      const double difference = (above - below) / 2e-5;
      ASSERT_NEAR(gradient(i), difference, 1e-7 * (1.0 + std::fabs(difference)))
          << name << ' ' << i;
    }
  };
  expect_derivative(complex_x, this->x, "x");
  expect_derivative(complex_y, this->y, "y");
  const auto complex_tensors = this->complex_site.tensors();
  const auto tensors = this->site.tensors();
  for (std::size_t p = 0; p < tensors.size(); ++p) {
    expect_derivative(*complex_tensors[p].values, *tensors[p].values, tensors[p].name);
  }
}

TYPED_TEST(EveryFamily, TransposedMatrixGivesOtherStreams) {
  const auto at = this->site.mappings(this->x);
  if (largest_difference(at.comb, transpose(at.comb)) < 1e-15) return;  // Kronecker, identity, none
  const auto right = this->site.merge(at, this->x, this->y);
  const auto wrong = this->site.merge(at, this->x, this->y, true);
  EXPECT_GE(largest_difference(right, wrong), 0.05);
}

// Equal streams stay equal if the weights of all sources sum to 1 for each target; the sum of the
// streams is preserved if the weights of all targets sum to 1 for each source.
TYPED_TEST(EveryFamily, ExactMarginalPreservesTheStreams) {
  const auto at = this->site.mappings(this->x);
  const Tensor<double> silence(5);
  if ((TypeParam::keeps & equal_streams) != 0) {
    const auto equal = repeat(this->y, 4);
    expect_same(this->site.merge(at, equal, silence), equal, 1e-5);
  }
  if ((TypeParam::keeps & sum) != 0) {
    const auto next = sum_of_streams(this->site.merge(at, this->x, silence));
    expect_same(next, sum_of_streams(this->x), 1e-5);
  }
}

// Sinkhorn-Knopp.

TEST(SinkhornKnopp, OnlyOneMarginalIsExact) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto logits = random_square(4, 6.0, seed);
    const auto v4 = deepseek_v4_sinkhorn(logits, 1e-6, 20);
    EXPECT_LE(column_error(v4), 2e-6);
    EXPECT_LE(row_error(paper_sinkhorn(logits, 20)), 1e-15);
    EXPECT_LE(column_error(megatron_main_sinkhorn(logits, 20)), 1e-15);
    EXPECT_LE(row_error(lucidrains_sinkhorn(logits, 20)), 1e-15);
  }
  const auto logits = random_square(4, 6.0, 1);
  EXPECT_GE(row_error(deepseek_v4_sinkhorn(logits, 1e-6, 20)), 1e-4);
  EXPECT_GE(column_error(paper_sinkhorn(logits, 20)), 1e-4);
  EXPECT_GE(row_error(megatron_main_sinkhorn(logits, 20)), 1e-4);
  EXPECT_GE(column_error(lucidrains_sinkhorn(logits, 20)), 1e-4);
}

TEST(SinkhornKnopp, V4WithoutEpsIsThePaperTransposed) {
  for (const double stddev : {0.5, 2.0, 4.0, 8.0}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      const auto logits = random_square(4, stddev, seed);
      const auto v4 = transpose(deepseek_v4_sinkhorn(transpose(logits), 0.0, 20));
      expect_same(v4, paper_sinkhorn(logits, 20), 1e-14);
    }
  }
}

TEST(SinkhornKnopp, MegatronAndLucidrainsDifferOnlyInTheOrder) {
  const auto logits = random_square(4, 2.0, 1);
  expect_same(transpose(lucidrains_sinkhorn(transpose(logits), 20)),
              megatron_main_sinkhorn(logits, 20), 1e-14);
  EXPECT_GE(largest_difference(paper_sinkhorn(random_square(4, 4.0, 1), 20),
                               megatron_main_sinkhorn(random_square(4, 4.0, 1), 20)),
            1e-4);
}

TEST(SinkhornKnopp, ExactProjectionHasBothMarginals) {
  for (const double stddev : {0.5, 2.0, 3.0}) {
    const auto exact = birkhoff_projection(random_square(4, stddev, 1));
    EXPECT_LE(row_error(exact), 1e-15);
    EXPECT_LE(column_error(exact), 1e-14);
    expect_same(exact, transpose(birkhoff_projection(transpose(random_square(4, stddev, 1)))));
  }
}

// The mappings of the published initialisations, at scale 0.

/// Ones at and elsewhere.
Tensor<double> one_hot(int n, int hot, double at, double elsewhere) {
  Tensor<double> result(n);
  for (int i = 0; i < n; ++i) result(i) = i == hot ? at : elsewhere;
  return result;
}

void expect_diagonal(const Tensor<double>& comb, double diagonal, double off, double tolerance) {
  for (int i = 0; i < comb.rows(); ++i) {
    for (int j = 0; j < comb.cols(); ++j) {
      EXPECT_NEAR(comb(i, j), i == j ? diagonal : off, tolerance);
    }
  }
}

TEST(Initialization, OpenPanguStartsWithADominantDiagonal) {
  OpenPangu2Site<double> site(4, 5);
  site.branch_beta(2) = 1.0;  // layer 2
  for (int i = 0; i < 4; ++i) site.branch_beta(8 + 5 * i) = 1.0;
  const auto at = site.mappings(random_streams<double>(4, 5, 1));
  expect_values(at.pre, {0.5, 0.5, 0.731, 0.5}, 0, 1e-3);
  expect_values(at.post, {1.0, 1.0, 1.0, 1.0}, 0, 1e-15);
  expect_diagonal(at.comb, 0.475, 0.175, 5e-4);
}

TEST(Initialization, Hy4IsAnOrdinaryResidual) {
  Hy4Site<double> site(4, 5);
  for (int i = 0; i < 4; ++i) site.hc_base(i) = -std::log(3.0);
  const auto at = site.mappings(random_streams<double>(4, 5, 1));
  expect_values(at.pre, {0.250001, 0.250001, 0.250001, 0.250001}, 0, 1e-14);
  expect_values(at.post, {1.000001, 1.000001, 1.000001, 1.000001}, 0, 1e-14);
}

TEST(Initialization, MegatronIsUniform) {
  const auto x = random_streams<double>(4, 5, 1);
  const auto main = MegatronMainSite<double>(4, 5).mappings(x);
  expect_diagonal(main.comb, 0.25, 0.25, 1e-15);
  expect_values(main.pre, {0.5, 0.5}, 0, 1e-15);
  expect_values(main.post, {1.0, 1.0}, 0, 1e-15);
  const auto dev = MegatronDevSite<double>(4, 5).mappings(x);
  expect_diagonal(dev.comb, 0.24999975, 0.24999975, 1e-13);
  expect_values(dev.pre, {0.500001, 0.500001}, 0, 1e-15);
}

TEST(Initialization, HyperConnectionsAreAPreNormResidual) {
  LucidrainsHcSite<double> site(4, 5);
  for (int s = 0; s < 4; ++s) {
    site.static_alpha(s, 0) = s == 1 ? 1.0 : 0.0;
    site.static_alpha(s, 1 + s) = 1.0;
    site.static_beta(s) = 1.0;
  }
  const auto e = random_channels<double>(5, 1);
  const auto layer = [](std::size_t, const Tensor<double>& u) {
    Tensor<double> y(u.size());
    for (int h = 0; h < u.size(); ++h) y(h) = u(h) * u(h);
    return y;
  };
  const auto out = forward(std::vector<LucidrainsHcSite<double>>{site}, e, layer,
                           LucidrainsHcSite<double>::collapse);
  for (int h = 0; h < 5; ++h) EXPECT_NEAR(out(h), 4.0 * (e(h) + e(h) * e(h)), 1e-14);
}

TEST(Initialization, LucidrainsMhcAddsMoreThanY) {
  LucidrainsMhcSite<double> site(4, 5);
  for (int s = 0; s < 4; ++s) {
    site.static_alpha(s, 0) = s == 1 ? 1.0 : 0.0;
    site.static_alpha(s, 1 + s) = 1.0;
    site.static_beta(s) = 1.0;
  }
  const auto at = site.mappings(random_streams<double>(4, 5, 1));
  expect_values(at.pre, {0.5, 0.731, 0.5, 0.5}, 0, 1e-3);
  expect_values(at.post, {1.462, 1.462, 1.462, 1.462}, 0, 5e-4);
  expect_diagonal(at.comb, 0.475, 0.175, 5e-4);
}

TEST(Initialization, PermutationsAndKroneckerFactorsAreNearTheIdentity) {
  const auto x = random_streams<double>(4, 5, 1);
  MhcLiteSite<double> lite(4, 5);
  for (int i = 0; i < 28; ++i)
    lite.static_alpha(i) = i == 2 ? 1.0 : i < 4 ? -1.0 : i == 4 ? 0.0 : -8.0;
  lite.static_beta = one_hot(4, 2, 1.0, -1.0);
  const auto at = lite.mappings(x);
  expect_values(at.pre, {0.269, 0.269, 0.731, 0.269}, 0, 5e-4);
  expect_values(at.post, {0.538, 0.538, 1.462, 0.538}, 0, 5e-4);
  EXPECT_NEAR(at.comb(0, 0), 0.9940, 5e-5);
  EXPECT_NEAR(1.0 / (1.0 + 23.0 * std::exp(-8.0)), 0.99234, 5e-6);  // the weight of the identity

  KromHcSite<double> krom(4, 5);
  krom.static_alpha(5) = -8.0;
  krom.static_alpha(7) = -8.0;
  const auto diagonal = krom.mappings(x).comb(0, 0);
  EXPECT_NEAR(std::sqrt(diagonal), 0.99966, 5e-6);
  EXPECT_NEAR(diagonal, 0.99933, 5e-6);

  MhcLiteSinkhornSite<double> own(4, 5);
  for (int s = 0; s < 4; ++s) {
    for (int t = 0; t < 4; ++t) own.static_alpha(s * 5 + 1 + t) = s == t ? 0.0 : -8.0;
  }
  EXPECT_NEAR(own.mappings(x).comb(3, 3), 0.99899, 5e-6);
}

// Special cases.

template <class To, class From>
void copy_v4(To& to, const From& from) {
  to.fn = from.fn;
  to.scale = from.scale;
  to.base = from.base;
}

class OfV4 : public testing::Test {
 protected:
  OfV4() { randomize(v4, 7); }

  DeepSeekV4Site<double> v4{4, 5};
  Tensor<double> x = random_streams<double>(4, 5, 8);
};

TEST_F(OfV4, LogitsAreOfOrderOne) {
  const auto logits = v4.logits(x);
  const double deviation = std::sqrt(sum_of_squares(logits) / logits.size());
  EXPECT_GE(deviation, 1.0);
  EXPECT_LE(deviation, 2.0);
}

TEST_F(OfV4, V41AndGlmDifferInTheNormEps) {
  DeepSeekV41Site<double> v41(4, 5);
  copy_v4(v41, v4);
  EXPECT_EQ(v41.norm_eps, 1e-20);
  EXPECT_GE(largest_difference(v41.mappings(x).comb, v4.mappings(x).comb), 1e-10);
  v41.norm_eps = v4.norm_eps;
  expect_same(v41.mappings(x), v4.mappings(x), 0.0);

  Glm53Site<double> glm(4, 5);
  copy_v4(glm, v4);
  EXPECT_GE(largest_difference(glm.mappings(x).comb, v4.mappings(x).comb), 1e-8);
  glm.rms_norm_eps = v4.norm_eps;
  expect_same(glm.mappings(x), v4.mappings(x));
}

TEST_F(OfV4, OpenPanguGammaFoldsIntoPhi) {
  OpenPangu2Site<double> pangu(4, 5);
  randomize(pangu, 9);
  v4.scale = pangu.branch_alpha;
  v4.base = pangu.branch_beta;
  for (int q = 0; q < 24; ++q) {
    for (int k = 0; k < 20; ++k) v4.fn(q, k) = pangu.phi_weight(q, k) * pangu.norm_gamma(k);
  }
  expect_same(pangu.mappings(x), v4.mappings(x));
  OpenPangu2Site<double> renormalized = pangu;
  renormalized.hpre_renorm = true;
  EXPECT_NEAR(row_sum(renormalized.mappings(x).pre, 0), 1.0, 1e-15);
}

TEST_F(OfV4, MegatronDevDiffersInTheNormAndLigerInTheOrientation) {
  MegatronDevSite<double> dev(4, 5);
  LigerSite<double> liger(4, 5);
  PaperSite<double> paper(4, 5);
  dev.mapping_proj_weight = v4.fn;
  liger.phi = transpose(v4.fn);
  dev.alpha_pre(0) = liger.alpha_pre(0) = v4.scale(0);
  dev.alpha_post(0) = liger.alpha_post(0) = v4.scale(1);
  dev.alpha_res(0) = liger.alpha_res(0) = v4.scale(2);
  dev.bias = liger.b = v4.base;
  liger.pre_eps = 1e-6;
  const auto at = v4.mappings(x);
  expect_same(liger.mappings(x), at);
  const auto y = random_channels<double>(5, 9);
  expect_same(liger.merge(at, x, y), v4.merge(at, x, y, true));
  EXPECT_LE(largest_difference(dev.mappings(x).comb, at.comb), 1e-5);
  v4.norm_eps = 0.0;
  const double rms = std::sqrt(sum_of_squares(x) / x.size());
  for (int g = 0; g < 3; ++g) v4.scale(g) *= rms / (rms + 1e-6);
  expect_same(dev.mappings(x), v4.mappings(x));
}

TEST_F(OfV4, WithoutEpsIsThePaperInAnotherLayout) {
  PaperSite<double> paper(4, 5);
  paper.alpha = v4.scale;
  for (int q = 0; q < 24; ++q) {
    const int e = q - 8;
    const int stored = q < 8 ? q : 8 + e % 4 * 4 + e / 4;  // comb[src, dst] for H_res[out, in]
    for (int k = 0; k < 20; ++k) paper.phi(k, q) = v4.fn(stored, k);
    paper.b(q) = v4.base(stored);
  }
  v4.norm_eps = v4.hc_eps = 0.0;
  paper.norm_eps = 0.0;
  const auto of_v4 = v4.mappings(x);
  const auto of_paper = paper.mappings(x);
  expect_same(of_paper.pre, of_v4.pre);
  expect_same(of_paper.comb, transpose(of_v4.comb));
  const auto y = random_channels<double>(5, 9);
  expect_same(paper.merge(of_paper, x, y), v4.merge(of_v4, x, y));

  BirkhoffSite<double> exact(4, 5);
  exact.phi = paper.phi;
  exact.alpha = paper.alpha;
  exact.b = paper.b;
  EXPECT_LE(largest_difference(exact.mappings(x).comb, of_paper.comb), 1e-2);
  paper.t_max = 20000;
  exact.norm_eps = 0.0;
  expect_same(exact.mappings(x).comb, paper.mappings(x).comb, 1e-12);
}

TEST(HyperConnections, ThreeFormulationsAgree) {
  LucidrainsHcSite<double> lucidrains(4, 5);
  HyperConnectionsSite<double> original(4, 5, StreamNorm::rms_norm);
  HyperConnectionsEq5Site<double> eq5(4, 5);
  randomize(lucidrains, 1);
  original.static_alpha = lucidrains.static_alpha;
  original.dynamic_alpha_fn = lucidrains.dynamic_alpha_fn;
  original.dynamic_alpha_scale = lucidrains.dynamic_alpha_scale;
  original.static_beta = lucidrains.static_beta;
  original.dynamic_beta_fn = lucidrains.dynamic_beta_fn;
  original.dynamic_beta_scale = lucidrains.dynamic_beta_scale;
  original.norm_eps = 0.0;
  eq5.alpha_pre = eq5.alpha_res = lucidrains.dynamic_alpha_scale;
  eq5.alpha_post = lucidrains.dynamic_beta_scale;
  eq5.norm_eps = 0.0;
  for (int h = 0; h < 5; ++h) {
    const double gamma = lucidrains.norm_gamma(h) + 1.0;
    original.norm_weight(h) = gamma;
    eq5.theta_pre(h) = lucidrains.dynamic_alpha_fn(h, 0) * gamma;
    eq5.theta_post(h) = lucidrains.dynamic_beta_fn(h) * gamma;
    for (int t = 0; t < 4; ++t) {
      eq5.theta_res(t, h) = lucidrains.dynamic_alpha_fn(h, 1 + t) * gamma;
    }
  }
  for (int s = 0; s < 4; ++s) {
    eq5.b_pre(s) = lucidrains.static_alpha(s, 0);
    eq5.b_post(s) = lucidrains.static_beta(s);
    for (int t = 0; t < 4; ++t) eq5.b_res(t, s) = lucidrains.static_alpha(s, 1 + t);
  }
  const auto x = random_streams<double>(4, 5, 2);
  const auto y = random_channels<double>(5, 3);
  const auto at = lucidrains.mappings(x);
  expect_same(original.mappings(x), at);
  expect_same(eq5.merge(eq5.mappings(x), x, y), lucidrains.merge(at, x, y));
}

TEST(PermutationMixture, IsLexicographicWithTheSourceAsTheRow) {
  Tensor<double> logits(6);
  logits(3) = 800.0;  // the fourth permutation of three is (1, 2, 0)
  const auto m = permutation_mixture(logits, 3);
  expect_values(m, {0, 1, 0, 0, 0, 1, 1, 0, 0}, 0, 1e-15);
}

TEST(KroneckerOfPairs, FirstFactorIsTheMostSignificantBit) {
  Tensor<double> logits(4);
  logits(0) = -800.0;  // p = 0: the first factor swaps streams i and i + 2
  logits(2) = 800.0;
  expect_values(kronecker_of_pairs(logits), {0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0}, 0,
                1e-15);
}

TEST(Static, IsEachFamilyAtScaleZero) {
  const auto x = random_streams<double>(4, 5, 1);
  StaticSite<double> still(4, StaticResidual::sinkhorn);
  randomize(still, 2);
  DeepSeekV4Site<double> v4(4, 5);
  randomize(v4, 3);
  v4.scale = Tensor<double>(3);
  StaticSite<double> permuted(4, StaticResidual::permutation);
  randomize(permuted, 4);
  MhcLiteSite<double> lite(4, 5);
  StaticSite<double> kronecker(4, StaticResidual::kronecker);
  randomize(kronecker, 5);
  KromHcSite<double> krom(4, 5);
  StaticSite<double> identity(4, StaticResidual::identity);
  randomize(identity, 6);
  Hy4Site<double> hy4(4, 5);
  for (int i = 0; i < 4; ++i) {
    v4.base(i) = still.b_pre(i);
    v4.base(4 + i) = still.b_post(i);
    lite.static_alpha(i) = permuted.b_pre(i);
    krom.static_alpha(i) = kronecker.b_pre(i);
    krom.static_alpha(4 + i) = kronecker.b_res(i);
    hy4.hc_base(i) = identity.b_pre(i);
    hy4.hc_base(4 + i) = identity.b_post(i);
  }
  for (int e = 0; e < 16; ++e) v4.base(8 + e) = still.b_res(e);
  for (int r = 0; r < 24; ++r) lite.static_alpha(4 + r) = permuted.b_res(r);
  lite.static_beta = permuted.b_post;
  krom.static_beta = kronecker.b_post;
  expect_same(still.mappings(), v4.mappings(x));
  expect_same(permuted.mappings(), lite.mappings(x));
  expect_same(kronecker.mappings(), krom.mappings(x));
  expect_same(identity.mappings().pre, hy4.mappings(x).pre);
  expect_same(identity.mappings().post, hy4.mappings(x).post);
}

// Whole models.

Tensor<double> toy_layer(std::size_t l, const Tensor<double>& u) {
  Tensor<double> y(u.size());
  for (int h = 0; h < u.size(); ++h) {
    y(h) = std::tanh(u((h + 1) % u.size()) + 0.3 * static_cast<double>(l));
  }
  return y;
}

TEST(WholeModels, SinglePassDelaysPreByOneSite) {
  std::vector<DeepSeekV41Site<double>> sites(3, {4, 5});
  for (std::size_t l = 0; l < 3; ++l) randomize(sites[l], l);
  const auto embedding = random_channels<double>(5, 9);
  std::vector<Tensor<double>> inputs;
  const auto layer = [&](std::size_t l, const Tensor<double>& u) {
    inputs.push_back(u);
    return toy_layer(l, u);
  };
  const auto out = deepseek_v41_forward(sites, embedding, layer);
  expect_same(inputs[0], embedding, 0.0);  // stream 0 alone
  const auto x0 = repeat(embedding, 4);
  const auto at0 = sites[0].mappings(x0);
  const auto x1 = sites[0].merge(at0, x0, toy_layer(0, inputs[0]));
  expect_same(inputs[1], weighted_sum(at0.pre, x1), 0.0);
  const auto at1 = sites[1].mappings(x1);
  const auto x2 = sites[1].merge(at1, x1, toy_layer(1, inputs[1]));
  const auto at2 = sites[2].mappings(x2);
  const auto x3 = sites[2].merge(at2, x2, toy_layer(2, weighted_sum(at1.pre, x2)));
  expect_same(out, weighted_sum(at2.pre, x3), 0.0);
}

TEST(WholeModels, EndWithTheirOwnCollapse) {
  const auto embedding = random_channels<double>(5, 1);
  const auto x = random_streams<double>(4, 5, 2);
  DeepSeekV4Head<double> head(4, 5);
  Hy4Head<double> hy4_head(4, 5);
  OpenPangu2Merge<double> merge(4, 5);
  for (int i = 0; i < 4; ++i) head.hc_head_base(i) = i - 1.5;
  hy4_head.hc_head_base = merge.branch_beta_pre = head.hc_head_base;
  Tensor<double> expected(5);
  for (int i = 0; i < 4; ++i) {
    for (int h = 0; h < 5; ++h) expected(h) += (1.0 / (1.0 + std::exp(1.5 - i)) + 1e-6) * x(i, h);
  }
  expect_same(head.collapse(x), expected);
  expect_same(hy4_head.collapse(x), expected);
  expect_same(merge.collapse(x), expected);

  std::vector<Glm53Site<double>> sites(2, {4, 5});
  for (std::size_t l = 0; l < 2; ++l) randomize(sites[l], l);
  const auto mean = forward(sites, embedding, toy_layer, Glm53Site<double>::collapse);
  auto sum = forward(sites, embedding, toy_layer, LucidrainsHcSite<double>::collapse);
  for (int h = 0; h < 5; ++h) sum(h) /= 4.0;
  expect_same(mean, sum, 1e-15);
}

}  // namespace
