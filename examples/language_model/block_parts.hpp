// SPDX-License-Identifier: MIT
// mhc's block of one kind of connection and one number of streams, behind ResidualBlock.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include <mhc/block.hpp>
#include <mhc/initialization.hpp>
#include <mhc/storage.hpp>

#include "arena.hpp"
#include "residual_parts.hpp"

namespace language_model {

template <int N, class Connection, class Scalar>
class BlockWith final : public ResidualBlock<Scalar> {
  using Base = ResidualBlock<Scalar>;
  using Block = mhc::Block<N, Scalar, Connection>;
  using Parameters = typename Block::ParametersView;

 public:
  using typename Base::ConstStreams;
  using typename Base::ConstTokens;
  using typename Base::Mappings;
  using typename Base::Streams;
  using typename Base::Tokens;

  static Index parameter_count(Index channels) { return Parameters::size(channels); }

  static std::unique_ptr<Base> make(BasicArena<Scalar>& arena, Index channels) {
    return std::make_unique<BlockWith>(take_parameters<Parameters>(arena, channels), channels);
  }

  static std::unique_ptr<Mappings> make_mappings(Index tokens) {
    return std::make_unique<Own>(tokens);
  }

  BlockWith(typename BasicArena<Scalar>::Piece piece, Index channels)
      : parameters_(piece.values, channels),
        dparameters_(piece.gradients, channels),
        block_(parameters_) {}

  void initialize(std::uint64_t seed, int site) override {
    const std::uint64_t own_seed = seed + 1000003U * static_cast<std::uint64_t>(site + 1);
    mhc::InitializationOptions<Connection> options;
    if constexpr (std::is_same_v<Connection, mhc::HyperConnections>) {
      options.stream = site % N;  // that this site reads initially
    }
    mhc::initialize(parameters_, own_seed, options);
  }

  void prepare(ConstStreams x, Tokens u, Mappings& saved, const Workers& workers) const override {
    block_.prepare(x, u, first(saved, x.tokens), workers);
  }

  void finish(ConstStreams x, ConstTokens v, const Mappings& saved, Streams x_next,
              const Workers& workers) const override {
    block_.finish(x, v, first(saved, x.tokens), x_next, workers);
  }

  void finish_backward(ConstStreams x, ConstTokens v, const Mappings& saved, ConstStreams dx_next,
                       Tokens dv, Mappings& dsaved, const Workers& workers) const override {
    block_.finish_backward(x, v, first(saved, x.tokens), dx_next, dv, first(dsaved, x.tokens),
                           workers);
  }

  void prepare_backward(ConstStreams x, const Mappings& saved, ConstStreams dx_next, ConstTokens du,
                        Mappings& dsaved, Streams dx, const Workers& workers) override {
    block_.prepare_backward(x, first(saved, x.tokens), dx_next, du, first(dsaved, x.tokens), dx,
                            dparameters_, workers);
  }

  BasicSiteView<Scalar> view(const Mappings& saved, Index tokens) const override {
    const auto of = first(saved, tokens);
    return {{}, of.pre(), of.post(), of.res(), of.logits()};
  }

  BasicSiteGates<Scalar> gates() override {
    const auto span = [](auto row) { return mhc::Span<Scalar>{row.data(), row.size()}; };
    return {span(parameters_.alpha()), span(parameters_.b()), span(dparameters_.alpha()),
            span(dparameters_.b())};
  }

 private:
  struct Own final : Mappings {
    explicit Own(Index tokens) : saved(tokens) {}
    typename Block::Saved saved;
  };

  static auto first(Mappings& mappings, Index tokens) {
    return static_cast<Own&>(mappings).saved.view().slice(0, tokens);
  }
  static auto first(const Mappings& mappings, Index tokens) {
    return static_cast<const Own&>(mappings).saved.view().slice(0, tokens);
  }

  Parameters parameters_, dparameters_;
  Block block_;
};

template <int N, class Connection, class Scalar>
ResidualParts<Scalar> block_parts(const CollapseParts<Scalar>& collapse) {
  using Block = BlockWith<N, Connection, Scalar>;
  return {N, &Block::parameter_count, &Block::make, &Block::make_mappings, collapse};
}

}  // namespace language_model
