// SPDX-License-Identifier: MIT
#pragma once

#include <mhc/element.hpp>

namespace mhc_bench {

/// The least work of an operation, whatever its implementation. A multiply-add is 2 flops; a single
/// addition, multiplication or division is 1. The elementary functions, a few per token, are not
/// counted. Each array of a call is read once or written once.
struct Work {
  double flops = 0;
  double bytes = 0;

  Work operator+(const Work& other) const { return {flops + other.flops, bytes + other.bytes}; }
};

/// `rounds` iterations of Sinkhorn-Knopp on `count` matrices (n, n), n streams. In the scaling form
/// a half step is n^2 multiply-adds and n divisions. Reads logits, writes res.
inline Work sinkhorn_forward_work(int streams, int rounds, mhc::Index count) {
  const double matrices = static_cast<double>(count);
  const double half_steps = 2.0 * rounds;
  return {matrices * half_steps * (2.0 * streams * streams + streams),
          matrices * 2.0 * streams * streams * sizeof(float)};
}

/// Every half step once more: n^2 multiply-adds for the sums of M G and n^2 for G -= u v sum, with
/// G the gradient of M at fixed scales. Reads logits and dres, writes dlogits.
inline Work sinkhorn_backward_work(int streams, int rounds, mhc::Index count) {
  const double matrices = static_cast<double>(count);
  const double half_steps = 2.0 * rounds;
  return {sinkhorn_forward_work(streams, rounds, count).flops +
              matrices * half_steps * 4.0 * streams * streams,
          matrices * 3.0 * streams * streams * sizeof(float)};
}

/// A site of the whole batch: K = n C, R = n (n + 2) projections, elements of `element_size` bytes,
/// phi of `phi_size`.
struct SiteWork {
  int n;
  int iterations;
  double channels;
  double tokens;
  double element_size;
  double phi_size = sizeof(float);

  double depth() const { return n * channels; }
  double projections() const { return n * (n + 2.0); }

  /// Bytes: a batch of streams (x, x_next, dx, dx_next), of rows (u, v, du, dv), of some numbers of
  /// each token's record, and phi once per call.
  double stream() const { return tokens * depth() * element_size; }
  double row() const { return tokens * channels * element_size; }
  double kept(double numbers) const { return tokens * numbers * sizeof(float); }
  double phi() const { return depth() * projections() * phi_size; }
  double record() const { return 1 + 2 * projections() + n + n + n * n; }

  /// The norm K, the projection K R and u = pre x K multiply-adds, and Sinkhorn-Knopp.
  Work prepare() const {
    const double flops = 2 * depth() * (1 + projections() + 1) + sinkhorn_forward();
    return {tokens * flops, stream() + phi() + row() + kept(record())};
  }

  /// x_next = res x + post^T v: n^2 C and n C multiply-adds.
  Work finish() const {
    return {tokens * (2 * n * n * channels + 2 * depth()),
            stream() + row() + kept(n + n * n) + stream()};
  }

  /// finish of one site and prepare of the next: the streams in between are not read again.
  Work fused() const {
    Work both = finish() + prepare();
    both.bytes -= stream();
    return both;
  }

  /// dv and dpost n C each, dres n^2 C multiply-adds.
  Work finish_backward() const {
    return {tokens * (2 * depth() + 2 * depth() + 2 * n * n * channels),
            stream() + stream() + row() + kept(n) + row() + kept(n + n + n * n)};
  }

  /// dpre n C; res^T dx_next n^2 C, pre^T du n C, draw phi^T K R and the norm K for dx; x^T draw
  /// K R for dphi, which is read and written.
  Work prepare_backward() const {
    const double flops =
        2 * (depth() + n * n * channels + depth() + depth() * projections() + depth());
    return {tokens * (flops + 2 * depth() * projections() + sinkhorn_backward()),
            stream() + stream() + row() + stream() + 3 * phi() + 3 * kept(record())};
  }

  /// The four calls in sequence, with a sublayer in between.
  Work forward_backward() const {
    return prepare() + finish() + finish_backward() + prepare_backward();
  }

  /// One token's prepare, whose memory traffic is phi.
  Work decode() const { return {prepare().flops, phi()}; }

 private:
  double sinkhorn_forward() const { return sinkhorn_forward_work(n, iterations, 1).flops; }
  double sinkhorn_backward() const { return sinkhorn_backward_work(n, iterations, 1).flops; }
};

}  // namespace mhc_bench
