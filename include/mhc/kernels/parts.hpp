// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN
namespace kernels {

// In which pieces sums are taken: the same for every instruction set, batch and number of threads.

/// The channels whose rows of phi stay in L1 while tokens pass by, summed one after the other.
inline constexpr int chunk_channels = 128;

/// The channels of a stream are summed in at most this many parts of whole chunks, so that threads
/// can share out a single token.
inline constexpr int parts_per_stream = 4;

/// A part of a token's projection: channels [begin, end) of a stream.
struct Part {
  Index stream;
  Index begin;
  Index end;
};

/// The parts of a token, stream by stream.
struct Parts {
  Index channels;
  Index length;  ///< of each, in channels; the last of a stream may be shorter

  explicit Parts(Index channels_)
      : channels(channels_),
        length((channels_ + parts_per_stream * chunk_channels - 1) /
               (parts_per_stream * chunk_channels) * chunk_channels) {}

  Index per_stream() const { return (channels + length - 1) / length; }
  Part part(Index p) const {
    const Index begin = p % per_stream() * length;
    return {p / per_stream(), begin, (std::min)(channels, begin + length)};
  }
};

/// The gated residual's: the channels of a stream that a tile holds, a chunk of every sum over
/// them, and the tokens that share the rows of its matrices.
inline constexpr int gated_channels = 64;
inline constexpr int gated_tokens = 32;

/// Tokens by something that is `width` numbers wide, cut both ways into pieces of gated_tokens by
/// `block`: threads share out a batch and a single token alike.
struct Pieces {
  Index tokens;
  Index width;
  Index block;

  Index per_tile() const { return (width + block - 1) / block; }
  Index count() const { return (tokens + gated_tokens - 1) / gated_tokens * per_tile(); }

  /// f(first token, tokens, begin, end) for the pieces [first, last), those of the same tokens as
  /// one.
  template <class Function>
  void each(Index first, Index last, const Function& f) const {
    while (first < last) {
      const Index tile = first / per_tile();
      const Index stop = (std::min)(last, (tile + 1) * per_tile());
      const Index token = tile * gated_tokens;
      f(token, static_cast<int>(std::min<Index>(gated_tokens, tokens - token)),
        (first - tile * per_tile()) * block, (std::min)(width, (stop - tile * per_tile()) * block));
      first = stop;
    }
  }
};

/// How many tokens phi's gradient takes at a time, between two visits to one of its rows.
inline constexpr int phi_tokens = 64;

}  // namespace kernels
MHC_NAMESPACE_END
