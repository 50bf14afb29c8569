// SPDX-License-Identifier: MIT
#pragma once

// What one looks at to see whether the streams are healthy. In double precision, for looking, not
// for hot loops; no header of the floors includes these.
// clang-format off

#include <mhc/diagnostics/finite.hpp>      // numbers by their bits
#include <mhc/diagnostics/histogram.hpp>   // values of pre and post
#include <mhc/diagnostics/gains.hpp>       // Amax gains, the spectral norm
#include <mhc/diagnostics/marginals.hpp>   // row and column errors
#include <mhc/diagnostics/composite.hpp>   // products of layers, means over tokens
#include <mhc/diagnostics/similarity.hpp>  // collapse of streams
#include <mhc/diagnostics/recorder.hpp>    // all of them for each site of a forward
