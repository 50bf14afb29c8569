// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <mhc/cuda.hpp>

namespace mhc_test {

/// Device memory that is poisoned with NaN bits until something is written.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(mhc::Index size = 0) : size_(size) {
    void* data = nullptr;
    mhc::cuda::check("DeviceArray", cudaMalloc(&data, bytes() + 64));
    data_ = static_cast<T*>(data);
    mhc::cuda::check("DeviceArray", cudaMemset(data, 0xff, bytes() + 64));
  }
  explicit DeviceArray(const std::vector<T>& values)
      : DeviceArray(static_cast<mhc::Index>(values.size())) {
    set(values);
  }
  DeviceArray(DeviceArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  DeviceArray& operator=(DeviceArray&&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  void set(const std::vector<T>& values) {
    mhc::cuda::check("DeviceArray::set",
                     cudaMemcpy(data_, values.data(), bytes(), cudaMemcpyHostToDevice));
  }
  std::vector<T> get() const {
    std::vector<T> values(static_cast<std::size_t>(size_));
    mhc::cuda::check("DeviceArray::get",
                     cudaMemcpy(values.data(), data_, bytes(), cudaMemcpyDeviceToHost));
    return values;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  mhc::Index size() const { return size_; }

 private:
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }

  T* data_ = nullptr;
  mhc::Index size_ = 0;
};

class Workspace {
 public:
  explicit Workspace(std::size_t bytes) : bytes_(static_cast<mhc::Index>(bytes)) {}
  operator mhc::cuda::Workspace() {
    return {bytes_.data(), static_cast<std::size_t>(bytes_.size())};
  }

 private:
  DeviceArray<unsigned char> bytes_;
};

/// Bit for bit, NaN included.
template <class T>
::testing::AssertionResult same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) {
    return ::testing::AssertionFailure() << a.size() << " values against " << b.size();
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) {
      return ::testing::AssertionFailure() << "value " << i << " is " << static_cast<double>(a[i])
                                           << ", expected " << static_cast<double>(b[i]);
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace mhc_test
