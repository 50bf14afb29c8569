// SPDX-License-Identifier: MIT
// The standard library and Eigen come first: parts of libstdc++ do not compile with the macros min
// and max, or undefine them if included first, and Eigen has template parameters S and T.
#include <deque>
#include <filesystem>
#include <locale>
#include <random>
#include <unsupported/Eigen/CXX11/Tensor>
#include <unsupported/Eigen/CXX11/ThreadPool>
#include <Eigen/Dense>
// Then the macros.
#include "macros.hpp"

#define S "siemens"
#define T 293.15
// Then the library.
#include <everything.hpp>
#include <mhc/adapters/eigen_tensor.hpp>
#include <mhc/adapters/eigen_thread_pool.hpp>

#include "run_block.hpp"
#include "units.hpp"

std::vector<float> run_under_macros_after_eigen() {
  return run_block();
}
