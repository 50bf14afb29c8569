// SPDX-License-Identifier: MIT
#pragma once

#include <dlpack/dlpack.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <mhc/adapters/tensor.hpp>
#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

// Import and export of DLPack tensors, the exchange format of torch, JAX, TVM, CuPy and others,
// without a copy. For dlpack.h 0.6 and 1.x. Tensors must be in host memory, pinned or not.
//
//   mhc::StreamView<float> x = mhc::from_dlpack_streams<float>("x", managed->dl_tensor);
//   DLManagedTensor* out = mhc::to_dlpack(x_next.view(), owner);  // the receiver calls its deleter

namespace detail {

template <class Element>
DLDataType dlpack_type() {
  using Value = std::remove_const_t<Element>;
  static_assert(is_element<Value>, "mhc::dlpack: float, double, bf16 or f16");
  DLDataType type{};
  type.code = std::is_same_v<Value, bf16> ? kDLBfloat : kDLFloat;
  type.bits = sizeof(Value) * 8;
  type.lanes = 1;
  return type;
}

inline std::string name_of(const DLDataType& type) {
  constexpr const char* names[] = {"int", "uint", "float", "handle", "bfloat", "complex"};
  std::ostringstream text;
  if (type.code < 6) {
    text << names[type.code];
  } else {
    text << "type " << static_cast<int>(type.code) << ", ";
  }
  text << static_cast<int>(type.bits);
  if (type.lanes != 1) text << " x " << type.lanes;
  return text.str();
}

inline bool is_empty(const DLTensor& tensor) {
  for (int d = 0; d < tensor.ndim; ++d) {
    if (tensor.shape[d] == 0) return true;
  }
  return false;
}

/// A pointer to the first element, after checks of type, device and alignment; null if the tensor
/// is empty.
template <class Element>
Element* dlpack_data(const char* function, const char* argument, const DLTensor& tensor) {
  const DLDataType expected = dlpack_type<Element>();
  if (tensor.dtype.code != expected.code || tensor.dtype.bits != expected.bits ||
      tensor.dtype.lanes != 1) {
    refuse(function, argument, " is of type ", name_of(tensor.dtype), ", expected ",
           name_of(expected));
  }
  if (tensor.device.device_type != kDLCPU && tensor.device.device_type != kDLCUDAHost) {
    refuse(function, argument, " is on a device of type ",
           static_cast<int>(tensor.device.device_type), ", expected host memory (1 or 3)");
  }
  if (is_empty(tensor)) return nullptr;
  if (tensor.data == nullptr) refuse(function, argument, " has no data (null pointer)");
  if ((reinterpret_cast<std::uintptr_t>(tensor.data) + tensor.byte_offset) % alignof(Element) !=
      0) {
    refuse(function, argument, " has an address that is not a multiple of ", alignof(Element),
           " bytes: pass a copy");
  }
  return reinterpret_cast<Element*>(static_cast<char*>(tensor.data) + tensor.byte_offset);
}

inline TensorShape dlpack_shape(const DLTensor& tensor) {
  static_assert(std::is_same_v<decltype(tensor.shape), std::int64_t*>);
  return {tensor.ndim, tensor.shape, tensor.strides};
}

/// The shape of an exported tensor and what it keeps alive.
template <std::size_t Rank>
struct DlpackOwner {
  std::shared_ptr<const void> owner;
  std::array<std::int64_t, Rank> sizes;
  std::array<std::int64_t, Rank> strides;

  template <class Element>
  DLTensor tensor(Element* data) {
    DLTensor result{};
    // The format has no pointer to const: the receiver must know what is read-only.
    result.data = const_cast<void*>(static_cast<const void*>(data));
    result.device.device_type = kDLCPU;
    result.ndim = static_cast<int>(Rank);
    result.dtype = dlpack_type<Element>();
    result.shape = sizes.data();
    result.strides = strides.data();
    return result;
  }
};

template <class Managed, std::size_t Rank, class Element>
Managed* managed_tensor(Element* data, DlpackOwner<Rank>&& owner) {
  auto context = std::make_unique<DlpackOwner<Rank>>(std::move(owner));
  auto managed = std::make_unique<Managed>();
  managed->dl_tensor = context->tensor(data);
  managed->manager_ctx = context.release();
  managed->deleter = [](Managed* self) {
    if (self == nullptr) return;
    delete static_cast<DlpackOwner<Rank>*>(self->manager_ctx);
    delete self;
  };
  return managed.release();
}

template <class Element>
DlpackOwner<3> dlpack_owner(const StreamView<Element>& view, std::shared_ptr<const void> owner) {
  return {std::move(owner),
          {view.tokens, view.streams, view.channels},
          {view.token_stride, view.stream_stride, 1}};
}

template <class Element>
DlpackOwner<2> dlpack_owner(const TokenView<Element>& view, std::shared_ptr<const void> owner) {
  return {std::move(owner), {view.tokens, view.channels}, {view.token_stride, 1}};
}

}  // namespace detail

/// A tensor (..., n, C) as streams, without a copy; the leading dimensions are the tokens.
/// `argument` is the tensor's name in errors. Throws std::invalid_argument for another element
/// type, memory of another device, data that is null or not aligned for the element (unless a size
/// is 0), and the shapes that stream_view (tensor.hpp) rejects.
template <class Element>
StreamView<Element> from_dlpack_streams(const char* argument, const DLTensor& tensor) {
  constexpr const char* here = "from_dlpack_streams";
  return stream_view(here, argument, detail::dlpack_data<Element>(here, argument, tensor),
                     detail::dlpack_shape(tensor));
}

/// The same for a tensor (..., C) as tokens.
template <class Element>
TokenView<Element> from_dlpack_tokens(const char* argument, const DLTensor& tensor) {
  constexpr const char* here = "from_dlpack_tokens";
  return token_view(here, argument, detail::dlpack_data<Element>(here, argument, tensor),
                    detail::dlpack_shape(tensor));
}

/// Streams as a tensor (tokens, n, C), or tokens as (tokens, C), without a copy. `owner` is kept
/// alive until the receiver calls the tensor's deleter; without one, you must keep the memory
/// alive.
template <class View>
DLManagedTensor* to_dlpack(const View& view, std::shared_ptr<const void> owner = nullptr) {
  return detail::managed_tensor<DLManagedTensor>(view.data,
                                                 detail::dlpack_owner(view, std::move(owner)));
}

#if defined(DLPACK_MAJOR_VERSION)
/// The same as DLPack 1.x's versioned tensor. Views of const elements are flagged read-only.
template <class View>
DLManagedTensorVersioned* to_dlpack_versioned(const View& view,
                                              std::shared_ptr<const void> owner = nullptr) {
  auto* const managed = detail::managed_tensor<DLManagedTensorVersioned>(
      view.data, detail::dlpack_owner(view, std::move(owner)));
  managed->version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  using Pointer = decltype(view.data);
  const bool is_read_only = std::is_const_v<std::remove_pointer_t<Pointer>>;
  managed->flags = is_read_only ? DLPACK_FLAG_BITMASK_READ_ONLY : 0;
  return managed;
}

namespace detail {
template <class Element>
const DLTensor& versioned_tensor(const char* function, const char* argument,
                                 const DLManagedTensorVersioned& managed) {
  if (managed.version.major != DLPACK_MAJOR_VERSION) {
    refuse(function, argument, " is of DLPack ", managed.version.major, ".", managed.version.minor,
           ", expected ", DLPACK_MAJOR_VERSION, ".x");
  }
  if (!std::is_const_v<Element> && (managed.flags & DLPACK_FLAG_BITMASK_READ_ONLY) != 0) {
    refuse(function, argument, " is read-only, expected writable: use a view of const elements");
  }
  return managed.dl_tensor;
}
}  // namespace detail

/// The same from a versioned tensor. Also throws for another major version, and for a read-only
/// tensor if Element is not const.
template <class Element>
StreamView<Element> from_dlpack_streams(const char* argument,
                                        const DLManagedTensorVersioned& managed) {
  return from_dlpack_streams<Element>(
      argument, detail::versioned_tensor<Element>("from_dlpack_streams", argument, managed));
}

template <class Element>
TokenView<Element> from_dlpack_tokens(const char* argument,
                                      const DLManagedTensorVersioned& managed) {
  return from_dlpack_tokens<Element>(
      argument, detail::versioned_tensor<Element>("from_dlpack_tokens", argument, managed));
}
#endif

MHC_NAMESPACE_END
