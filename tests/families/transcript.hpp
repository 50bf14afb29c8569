// SPDX-License-Identifier: MIT
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

// The common parts of the transcripts of published models. A transcript computes one token of one
// site with plain loops, in the model's own storage and order, and does not use the library, which
// is compared with it. T is double, or std::complex<double> for the complex step: no code takes
// absolute values, and comparisons use real parts.
namespace families {

using Complex = std::complex<double>;

/// A vector (size) or a row-major matrix (rows, cols).
template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(int size) : Tensor(1, size) {}
  Tensor(int rows, int cols)
      : rows_(rows), cols_(cols), values_(static_cast<std::size_t>(rows * cols)) {}

  int rows() const { return rows_; }
  int cols() const { return cols_; }
  int size() const { return rows_ * cols_; }

  T& operator()(int i) { return values_[static_cast<std::size_t>(i)]; }
  const T& operator()(int i) const { return values_[static_cast<std::size_t>(i)]; }
  T& operator()(int i, int j) { return (*this)(i * cols_ + j); }
  const T& operator()(int i, int j) const { return (*this)(i * cols_ + j); }

  T* data() { return values_.data(); }
  const T* data() const { return values_.data(); }

 private:
  int rows_ = 0;
  int cols_ = 0;
  std::vector<T> values_;
};

/// A tensor of a checkpoint, and the N(mean, spread^2) for which logits have a deviation of 1 to 2.
template <class T>
struct Parameter {
  std::string name;
  Tensor<T>* values;
  double mean;
  double spread;
};

/// pre (n), post (n), and comb (n, n) in the orientation of the family; comb is empty if there is
/// none.
template <class T>
struct Mappings {
  Tensor<T> pre;
  Tensor<T> post;
  Tensor<T> comb;
};

template <class T>
T sigmoid(const T& z) {
  return 1.0 / (1.0 + std::exp(-z));
}

template <class T>
T max_by_real_part(const T& a, const T& b) {
  return std::real(a) < std::real(b) ? b : a;
}

template <class T>
T sum_of_squares(const Tensor<T>& x) {
  T sum{};
  for (int k = 0; k < x.size(); ++k) sum += x(k) * x(k);
  return sum;
}

/// The dot product of row r of a (rows, K) and all K numbers of x.
template <class T>
T row_dot(const Tensor<T>& a, int r, const Tensor<T>& x) {
  T sum{};
  for (int k = 0; k < x.size(); ++k) sum += a(r, k) * x(k);
  return sum;
}

/// The dot product of all K numbers of x and column r of a (K, columns).
template <class T>
T column_dot(const Tensor<T>& x, const Tensor<T>& a, int r) {
  T sum{};
  for (int k = 0; k < x.size(); ++k) sum += x(k) * a(k, r);
  return sum;
}

template <class T>
T row_sum(const Tensor<T>& m, int i) {
  T sum{};
  for (int j = 0; j < m.cols(); ++j) sum += m(i, j);
  return sum;
}

template <class T>
T column_sum(const Tensor<T>& m, int j) {
  T sum{};
  for (int i = 0; i < m.rows(); ++i) sum += m(i, j);
  return sum;
}

template <class T>
void divide_row(Tensor<T>& m, int i, const T& divisor) {
  for (int j = 0; j < m.cols(); ++j) m(i, j) /= divisor;
}

template <class T>
void divide_column(Tensor<T>& m, int j, const T& divisor) {
  for (int i = 0; i < m.rows(); ++i) m(i, j) /= divisor;
}

/// The largest real part of row i.
template <class T>
double row_max(const Tensor<T>& m, int i) {
  double max = std::real(m(i, 0));
  for (int j = 1; j < m.cols(); ++j) max = std::fmax(max, std::real(m(i, j)));
  return max;
}

/// The largest real part of column j.
template <class T>
double column_max(const Tensor<T>& m, int j) {
  double max = std::real(m(0, j));
  for (int i = 1; i < m.rows(); ++i) max = std::fmax(max, std::real(m(i, j)));
  return max;
}

template <class T>
Tensor<T> transpose(const Tensor<T>& m) {
  Tensor<T> result(m.cols(), m.rows());
  for (int i = 0; i < m.rows(); ++i) {
    for (int j = 0; j < m.cols(); ++j) result(j, i) = m(i, j);
  }
  return result;
}

/// The square matrix (n, n) that begins at `values(first)`.
template <class T>
Tensor<T> square_at(const Tensor<T>& values, int first, int n) {
  Tensor<T> result(n, n);
  for (int e = 0; e < n * n; ++e) result(e) = values(first + e);
  return result;
}

/// u[h] = sum_i weights[i] x[i, h]
template <class T>
Tensor<T> weighted_sum(const Tensor<T>& weights, const Tensor<T>& x) {
  Tensor<T> u(x.cols());
  for (int i = 0; i < x.rows(); ++i) {
    for (int h = 0; h < x.cols(); ++h) u(h) += weights(i) * x(i, h);
  }
  return u;
}

/// x'[dst] = post[dst] y + sum_src comb[src, dst] x[src]. The most common bug is to read
/// comb[dst, src].
template <class T>
Tensor<T> merge_src_dst(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                        bool transposed) {
  Tensor<T> next(x.rows(), x.cols());
  for (int dst = 0; dst < x.rows(); ++dst) {
    for (int h = 0; h < x.cols(); ++h) {
      T sum = at.post(dst) * y(h);
      for (int src = 0; src < x.rows(); ++src) {
        sum += (transposed ? at.comb(dst, src) : at.comb(src, dst)) * x(src, h);
      }
      next(dst, h) = sum;
    }
  }
  return next;
}

/// x'[out] = post[out] y + sum_in H_res[out, in] x[in]. The bug reads H_res[in, out].
template <class T>
Tensor<T> merge_out_in(const Mappings<T>& at, const Tensor<T>& x, const Tensor<T>& y,
                       bool transposed) {
  return merge_src_dst(at, x, y, !transposed);
}

/// n copies of the embedding.
template <class T>
Tensor<T> repeat(const Tensor<T>& embedding, int n) {
  Tensor<T> x(n, embedding.size());
  for (int i = 0; i < n; ++i) {
    for (int h = 0; h < x.cols(); ++h) x(i, h) = embedding(h);
  }
  return x;
}

template <class T>
Tensor<T> sum_of_streams(const Tensor<T>& x) {
  Tensor<T> sum(x.cols());
  for (int h = 0; h < x.cols(); ++h) sum(h) = column_sum(x, h);
  return sum;
}

template <class T>
Tensor<T> mean_of_streams(const Tensor<T>& x) {
  Tensor<T> mean = sum_of_streams(x);
  for (int h = 0; h < x.cols(); ++h) mean(h) /= static_cast<double>(x.rows());
  return mean;
}

/// Runs a model's sites in order, from equal streams: y = layer(l, u) is sublayer l, and
/// collapse(x) reduces n streams to one.
template <class Site, class T, class Layer, class Collapse>
Tensor<T> forward(const std::vector<Site>& sites, const Tensor<T>& embedding, const Layer& layer,
                  const Collapse& collapse) {
  Tensor<T> x = repeat(embedding, sites.front().streams());
  for (std::size_t l = 0; l < sites.size(); ++l) {
    const Mappings<T> at = sites[l].mappings(x);
    x = sites[l].merge(at, x, layer(l, sites[l].layer_input(at, x)));
  }
  return collapse(x);
}

/// Seeded numbers, identical on all platforms and for every T.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : engine_(seed) {}

  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  template <class T>
  void fill(Tensor<T>& values, double mean, double spread) {
    for (int i = 0; i < values.size(); ++i) values(i) = mean + spread * normal();
  }

 private:
  double uniform() { return (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53; }

  std::mt19937_64 engine_;
};

template <class Site>
void randomize(Site& site, std::uint64_t seed) {
  Numbers numbers(seed);
  for (auto& parameter : site.tensors()) {
    numbers.fill(*parameter.values, parameter.mean, parameter.spread);
  }
}

/// Streams of different lengths, so that a norm per stream differs from the norm of all.
template <class T>
Tensor<T> random_streams(int n, int channels, std::uint64_t seed) {
  Numbers numbers(seed);
  Tensor<T> x(n, channels);
  for (int i = 0; i < n; ++i) {
    for (int h = 0; h < channels; ++h) x(i, h) = 0.1 + (0.5 + 0.4 * i) * numbers.normal();
  }
  return x;
}

template <class T>
Tensor<T> random_channels(int channels, std::uint64_t seed) {
  Tensor<T> y(channels);
  Numbers(seed).fill(y, 0.0, 1.0);
  return y;
}

/// df/dv = Im f(v + ih) / h, h = 1e-50, of the loss() that reads `variable`.
template <class Loss>
Tensor<double> complex_step(Tensor<Complex>& variable, const Loss& loss) {
  constexpr double h = 1e-50;
  Tensor<double> gradient(variable.rows(), variable.cols());
  for (int i = 0; i < variable.size(); ++i) {
    const Complex value = variable(i);
    variable(i) = Complex(value.real(), h);
    gradient(i) = loss().imag() / h;
    variable(i) = value;
  }
  return gradient;
}

}  // namespace families
