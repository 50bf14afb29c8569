// SPDX-License-Identifier: MIT
// Common to all functions of the C interface: error handling and the executor.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include <mhc/adapters/ranges.hpp>
#include <mhc/c/mhc_c.h>
#include <mhc/check.hpp>

MHC_NAMESPACE_BEGIN
namespace detail::c {

/// The error message of this thread's last failure.
inline std::string& message() {
  thread_local std::string sentence;
  return sentence;
}

/// Runs f and turns any exception into a status and an error message.
template <class Function>
mhc_status guarded(Function&& f) noexcept {
  const auto fail = [](mhc_status status, const char* what) {
    try {
      message() = what;
    } catch (...) {  // no memory for the message: leave it empty
      message().clear();
    }
    return status;
  };
  try {
    f();
    return MHC_OK;
  } catch (const std::invalid_argument& error) {
    return fail(MHC_WRONG_ARGUMENT, error.what());
  } catch (const std::length_error& error) {
    return fail(MHC_WRONG_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return fail(MHC_OUT_OF_MEMORY, "mhc: out of memory");
  } catch (const std::exception& error) {
    return fail(MHC_FAILED, error.what());
  } catch (...) {
    return fail(MHC_FAILED, "mhc: an exception that is not a std::exception");
  }
}

/// The caller's executor, or none. An exception from a range is stored and rethrown after the C
/// function `run` has returned.
class Executor {
 public:
  explicit Executor(const mhc_executor* executor) : executor_(executor) {
    if (executor != nullptr && executor->run == nullptr) {
      mhc::detail::refuse("c::executor", "run is a null pointer, expected a function");
    }
  }

  template <class Function>
  void operator()(Index count, Index grain, Function&& f) const {
    if (executor_ == nullptr) {
      mhc::serial(count, grain, f);
      return;
    }
    mhc::detail::FirstFailure failure;
    auto task = [&](Index begin, Index end, int worker) {
      failure.run([&] { f(begin, end, worker); });
    };
    using Task = decltype(task);
    executor_->run(
        executor_->context, count, grain,
        [](void* context, mhc_index begin, mhc_index end, int worker) {
          (*static_cast<Task*>(context))(begin, end, worker);
        },
        &task);
    failure.rethrow();
  }

 private:
  const mhc_executor* executor_;
};

}  // namespace detail::c
MHC_NAMESPACE_END
