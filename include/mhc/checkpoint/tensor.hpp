// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <mhc/checkpoint/bytes.hpp>
#include <mhc/checkpoint/dtype.hpp>
#include <mhc/checkpoint/errors.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

namespace detail {

/// A shape as text: "2 x 3", or "a scalar".
inline std::string to_text(const std::vector<Index>& shape) {
  std::string text;
  for (const Index extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? "a scalar" : text;
}

/// The product of the extents, or nothing if one is negative or the product of the nonzero extents
/// overflows an index.
inline std::optional<Index> checked_size(const std::vector<Index>& shape) {
  Index size = 1;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0) return {};
    if (extent == 0) {
      empty = true;
    } else if (size > (std::numeric_limits<Index>::max)() / extent) {
      return {};
    } else {
      size *= extent;
    }
  }
  return empty ? 0 : size;
}

/// The bytes of `size` elements in a file, or nothing if they do not fill whole blocks or the bytes
/// overflow an index.
inline std::optional<std::size_t> checked_bytes(DType dtype, Index size) {
  const DTypeRow& type = row(dtype);
  if (size % type.block != 0) return {};
  const Index blocks = size / type.block;
  if (type.bytes != 0 && blocks > (std::numeric_limits<Index>::max)() / type.bytes) return {};
  return static_cast<std::size_t>(blocks * type.bytes);
}

}  // namespace detail

/// A tensor in a file: its name, element type, shape and bytes. The file owns the bytes, which may
/// be at any alignment.
struct Tensor {
  std::string name;
  DType dtype = DType::unknown;
  std::vector<Index> shape;  ///< row-major, outermost extent first; empty for a scalar
  const std::byte* data = nullptr;
  std::size_t bytes = 0;

  /// The number of elements.
  Index size() const {
    Index elements = 1;
    for (const Index extent : shape) elements *= extent;
    return elements;
  }

  /// Calls visit(value) for each element in order, as compute_t: f64 as double; f32, f16 and bf16
  /// as float. Throws std::runtime_error if the elements are of another type.
  template <class Visit>
  void for_each(Visit visit) const {
    switch (dtype) {
      case DType::f64:
        return for_each_as<double>(visit);
      case DType::f32:
        return for_each_as<float>(visit);
      case DType::f16:
        return for_each_as<f16>(visit);
      case DType::bf16:
        return for_each_as<bf16>(visit);
      default:
        detail::refuse("tensor " + detail::in_quotes(name), "its elements are ",
                       checkpoint::name(dtype), ", expected F64, F32, F16 or BF16");
    }
  }

  /// Copies all elements to out[0], out[1], ..., rounded to Scalar (double, float, f16 or bf16), or
  /// bit for bit if they are stored as Scalar. Throws std::runtime_error as for_each does.
  template <class Scalar>
  void copy_to(Scalar* out) const {
    if (dtype == dtype_of<Scalar>()) {
      if (bytes > 0) std::memcpy(static_cast<void*>(out), data, bytes);
    } else {
      for_each([&out](auto value) { *out++ = static_cast<Scalar>(value); });
    }
  }

 private:
  template <class Element, class Visit>
  void for_each_as(Visit& visit) const {
    const std::byte* from = data;
    for (Index i = size(); i > 0; --i, from += sizeof(Element)) {
      visit(static_cast<compute_t<Element>>(detail::load<Element>(from)));
    }
  }
};

}  // namespace checkpoint
MHC_NAMESPACE_END
