// SPDX-License-Identifier: MIT
// What stands around every function of the C interface.
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

/// The sentence of this thread's last failure.
inline std::string& message() {
  thread_local std::string sentence;
  return sentence;
}

/// Runs f; whatever it throws becomes a status and a sentence.
template <class Function>
mhc_status guarded(Function&& f) noexcept {
  const auto fail = [](mhc_status status, const char* what) {
    try {
      message() = what;
    } catch (...) {  // no memory for the sentence: an empty one
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
    return fail(MHC_OUT_OF_MEMORY, "mhc: there is not enough memory");
  } catch (const std::exception& error) {
    return fail(MHC_FAILED, error.what());
  } catch (...) {
    return fail(MHC_FAILED, "mhc: an exception that is no std::exception");
  }
}

/// The caller's executor, or none. What a range throws waits until the C function has returned.
class Executor {
 public:
  explicit Executor(const mhc_executor* executor) : executor_(executor) {
    if (executor != nullptr && executor->run == nullptr) {
      mhc::detail::refuse("c::executor", "it has no function run (null pointer)");
    }
  }

  template <class Function>
  void operator()(index count, index grain, Function&& f) const {
    if (executor_ == nullptr) {
      mhc::serial(count, grain, f);
      return;
    }
    mhc::detail::FirstFailure failure;
    auto task = [&](index begin, index end, int worker) {
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
