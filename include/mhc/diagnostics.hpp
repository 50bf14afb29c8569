// SPDX-License-Identifier: MIT
#pragma once

// Diagnostics of the streams and mappings, in double precision. Not for hot loops; no other header
// of the library includes these.
// clang-format off

#include <mhc/diagnostics/finite.hpp>      // NaN and infinity from the bits
#include <mhc/diagnostics/histogram.hpp>   // values of pre and post
#include <mhc/diagnostics/gains.hpp>       // Amax gains, the spectral norm
#include <mhc/diagnostics/marginals.hpp>   // row and column errors
#include <mhc/diagnostics/composite.hpp>   // products of layers, means over tokens
#include <mhc/diagnostics/similarity.hpp>  // collapse of streams
#include <mhc/diagnostics/recorder.hpp>    // all of them for each site of a forward
