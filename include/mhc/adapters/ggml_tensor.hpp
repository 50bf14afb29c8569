// SPDX-License-Identifier: MIT
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <mhc/adapters/tensor.hpp>
#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN

// ggml tensors as streams and tokens, without a copy. ggml.hpp provides a site as graph operators.

namespace detail {

template <class Element>
constexpr ggml_type ggml_type_of() {
  using Value = std::remove_const_t<Element>;
  static_assert(is_element<Value>, "mhc::ggml: float, double, bf16 or f16");
  if constexpr (std::is_same_v<Value, float>) return GGML_TYPE_F32;
  if constexpr (std::is_same_v<Value, double>) return GGML_TYPE_F64;
  if constexpr (std::is_same_v<Value, bf16>) return GGML_TYPE_BF16;
  return GGML_TYPE_F16;
}

/// "x (tensor 'blk.0.attn')", without allocation, since operators build it as they run.
class GgmlLabel {
 public:
  GgmlLabel(const char* argument, const ggml_tensor* tensor) {
    add(argument);
    if (tensor == nullptr || tensor->name[0] == '\0') return;
    add(" (tensor '");
    add(tensor->name);
    add("')");
  }
  const char* text() const { return text_; }

 private:
  void add(const char* part) {
    const std::size_t length = (std::min)(std::strlen(part), sizeof text_ - 1 - size_);
    std::memcpy(text_ + size_, part, length);
    size_ += length;
    text_[size_] = '\0';
  }
  char text_[GGML_MAX_NAME + 64] = {};
  std::size_t size_ = 0;
};

/// Sizes and strides in elements, in the reverse of ggml's order: (ne3, ne2, ne1, ne0).
struct GgmlShape {
  std::int64_t sizes[4];
  std::int64_t strides[4];
  TensorShape shape() const { return {4, sizes, strides}; }
};

template <class Element>
GgmlShape ggml_shape(const char* function, const char* label, const ggml_tensor* tensor) {
  if (tensor == nullptr) refuse(function, label, " is a null pointer");
  if (tensor->type != ggml_type_of<Element>()) {
    refuse(function, label, " is of type ", ggml_type_name(tensor->type), ", expected ",
           ggml_type_name(ggml_type_of<Element>()));
  }
  GgmlShape result{};
  for (int d = 0; d < 4; ++d) {
    const std::size_t bytes = tensor->nb[3 - d];
    if (bytes % sizeof(Element) != 0) {
      refuse(function, label, " has nb[", 3 - d, "] = ", bytes, ", expected a multiple of ",
             sizeof(Element), " bytes, the size of its elements");
    }
    result.sizes[d] = tensor->ne[3 - d];
    result.strides[d] = static_cast<std::int64_t>(bytes / sizeof(Element));
  }
  return result;
}

/// The tensor's data pointer, after checking that it is not null and in host memory.
template <class Element>
Element* ggml_memory(const char* function, const char* argument, const ggml_tensor* tensor) {
  const GgmlLabel label(argument, tensor);
  const ggml_tensor* const owner = tensor->view_src != nullptr ? tensor->view_src : tensor;
  if (owner->buffer != nullptr && !ggml_backend_buffer_is_host(owner->buffer)) {
    refuse(function, label.text(), " is in a buffer of ", ggml_backend_buffer_name(owner->buffer),
           ", expected host memory");
  }
  if (tensor->data == nullptr && ggml_nelements(tensor) > 0) {
    refuse(function, label.text(), " has no data (null pointer): was the graph allocated?");
  }
  return static_cast<Element*>(tensor->data);
}

/// Views without data, which is not yet allocated while a graph is being built.
template <class Element>
StreamView<Element> ggml_stream_shape(const char* function, const char* argument,
                                      const ggml_tensor* tensor) {
  const GgmlLabel label(argument, tensor);
  const GgmlShape shape = ggml_shape<Element>(function, label.text(), tensor);
  return stream_view<Element>(function, label.text(), nullptr, shape.shape());
}

template <class Element>
TokenView<Element> ggml_token_shape(const char* function, const char* argument,
                                    const ggml_tensor* tensor) {
  const GgmlLabel label(argument, tensor);
  const GgmlShape shape = ggml_shape<Element>(function, label.text(), tensor);
  return token_view<Element>(function, label.text(), nullptr, shape.shape());
}

}  // namespace detail

/// A tensor of ne = (C, n, tokens...) as streams; the channels must be contiguous, other strides
/// are free. `argument` is its name in errors, along with the tensor's own. Throws
/// std::invalid_argument for another type, strides that are not a multiple of the element size, no
/// data, memory outside the host, and the shapes that stream_view (tensor.hpp) rejects. Those
/// errors list sizes slowest first: (ne3, ne2, ne1, ne0).
template <class Element>
StreamView<Element> ggml_streams(const char* argument, const ggml_tensor* tensor) {
  constexpr const char* here = "ggml_streams";
  StreamView<Element> view = detail::ggml_stream_shape<Element>(here, argument, tensor);
  view.data = detail::ggml_memory<Element>(here, argument, tensor);
  return view;
}

/// The same for a tensor of ne = (C, tokens...) as tokens.
template <class Element>
TokenView<Element> ggml_tokens(const char* argument, const ggml_tensor* tensor) {
  constexpr const char* here = "ggml_tokens";
  TokenView<Element> view = detail::ggml_token_shape<Element>(here, argument, tensor);
  view.data = detail::ggml_memory<Element>(here, argument, tensor);
  return view;
}

MHC_NAMESPACE_END
