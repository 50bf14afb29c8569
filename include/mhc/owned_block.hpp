// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

#include <mhc/block.hpp>

MHC_NAMESPACE_BEGIN

/// A block's parameters and options, owned: what a layer keeps as a member. A Block has a view of
/// parameters that live elsewhere, so a struct of `Parameters` and `Block`, copied or moved, leaves
/// the new block with a view of the old parameters. This type has the parameters alone and makes
/// the block where it is called:
///
///   mhc::OwnedBlock<4> site(channels);
///   mhc::initialize(site.parameters(), seed);
///   site.block().prepare(x, u, saved);
template <int N, class Element = float, class Connection = ManifoldConstrained>
class OwnedBlock {
 public:
  using Block = mhc::Block<N, Element, Connection>;
  using Scalar = typename Block::Scalar;
  using Options = typename Block::Options;
  using Parameters = mhc::Parameters<N, Scalar, Connection>;

  /// Parameters that are zero. Throws std::invalid_argument for channels < 1 and options out of
  /// range.
  explicit OwnedBlock(Index channels, const Options& options = Options())
      : OwnedBlock(Parameters(channels), options) {}

  /// Takes over parameters. Throws std::invalid_argument for options out of range.
  explicit OwnedBlock(Parameters parameters, const Options& options = Options())
      : parameters_(std::move(parameters)), options_(options) {
    static_cast<void>(block());  // checks the options
  }

  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }
  const Options& options() const { return options_; }
  Index channels() const { return parameters_.channels(); }

  /// The block of these parameters where they are now: a view and the options, to be made for a
  /// call and not to be kept. Its calls never change the parameters.
  Block block() const& { return Block(parameters_, options_); }
  Block block() && = delete;

 private:
  Parameters parameters_;
  Options options_;
};

MHC_NAMESPACE_END
