// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <mhc/check.hpp>
#include <mhc/element.hpp>
#include <mhc/view.hpp>

MHC_NAMESPACE_BEGIN

namespace detail {

inline constexpr std::size_t storage_alignment = 64;

template <class Element>
struct AlignedDelete {
  void operator()(Element* data) const {
    ::operator delete(static_cast<void*>(data), std::align_val_t(storage_alignment));
  }
};

/// The product of the extents, in elements. Throws std::invalid_argument if an extent is negative
/// or the bytes overflow an index.
template <class Element>
std::size_t checked_size(const char* function, std::initializer_list<Index> extents) {
  std::size_t size = 1;
  const std::size_t most =
      static_cast<std::size_t>((std::numeric_limits<Index>::max)()) / sizeof(Element);
  for (const Index extent : extents) {
    if (extent < 0) refuse(function, "a size of ", extent, " is negative");
    if (extent > 0 && size > most / static_cast<std::size_t>(extent)) {
      refuse(function, "the size does not fit into memory");
    }
    size *= static_cast<std::size_t>(extent);
  }
  return size;
}

/// A size that a move resets to zero, like the memory that it describes.
class Extent {
 public:
  Extent(Index value = 0) : value_(value) {}
  Extent(const Extent&) = default;
  Extent(Extent&& other) noexcept : value_(std::exchange(other.value_, 0)) {}
  Extent& operator=(Extent other) noexcept {
    value_ = other.value_;
    return *this;
  }
  ~Extent() = default;
  operator Index() const { return value_; }

 private:
  Index value_;
};

}  // namespace detail

/// Owned, zero-filled elements, aligned to 64 bytes regardless of a translation unit's flags. (The
/// alignment of Eigen's matrices depends on the flags, so they own no memory in this library.)
template <class Element>
class Storage {
 public:
  Storage() = default;
  explicit Storage(std::size_t size)
      : data_(static_cast<Element*>(
            ::operator new(size * sizeof(Element), std::align_val_t(detail::storage_alignment)))),
        size_(static_cast<Index>(size)) {
    std::uninitialized_fill_n(data(), size, Element(0));
  }
  Storage(const Storage& other) : Storage(static_cast<std::size_t>(other.size())) {
    std::copy_n(other.data(), size(), data());
  }
  Storage(Storage&&) noexcept = default;
  Storage& operator=(Storage other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::move(other.size_);
    return *this;
  }
  ~Storage() = default;

  Element* data() { return data_.get(); }
  const Element* data() const { return data_.get(); }
  Index size() const { return size_; }

 private:
  std::unique_ptr<Element, detail::AlignedDelete<Element>> data_;
  detail::Extent size_;
};

/// Owned rows (tokens, C), contiguous and zero-filled.
template <class Element>
class Tokens {
 public:
  Tokens() = default;
  Tokens(Index tokens, Index channels)
      : storage_(detail::checked_size<Element>("Tokens", {tokens, channels})),
        tokens_(tokens),
        channels_(channels) {}

  TokenView<Element> view() { return {data(), tokens_, channels_}; }
  TokenView<const Element> view() const { return {data(), tokens_, channels_}; }
  operator TokenView<Element>() { return view(); }
  operator TokenView<const Element>() const { return view(); }

  auto token(Index t) { return view().token(t); }
  auto token(Index t) const { return view().token(t); }
  auto matrix() { return view().matrix(); }
  auto matrix() const { return view().matrix(); }

  Element* data() { return storage_.data(); }
  const Element* data() const { return storage_.data(); }
  Index size() const { return storage_.size(); }
  Index tokens() const { return tokens_; }
  Index channels() const { return channels_; }

 private:
  Storage<Element> storage_;
  detail::Extent tokens_;
  detail::Extent channels_;
};

/// Owned residual streams (tokens, n, C), contiguous and zero-filled.
template <class Element>
class Streams {
 public:
  Streams() = default;
  Streams(Index tokens, Index streams, Index channels)
      : storage_(detail::checked_size<Element>("Streams", {tokens, streams, channels})),
        tokens_(tokens),
        streams_(streams),
        channels_(channels) {}

  StreamView<Element> view() { return {data(), tokens_, streams_, channels_}; }
  StreamView<const Element> view() const { return {data(), tokens_, streams_, channels_}; }
  operator StreamView<Element>() { return view(); }
  operator StreamView<const Element>() const { return view(); }

  auto token(Index t) { return view().token(t); }
  auto token(Index t) const { return view().token(t); }

  Element* data() { return storage_.data(); }
  const Element* data() const { return storage_.data(); }
  Index size() const { return storage_.size(); }
  Index tokens() const { return tokens_; }
  Index streams() const { return streams_; }
  Index channels() const { return channels_; }

 private:
  Storage<Element> storage_;
  detail::Extent tokens_;
  detail::Extent streams_;
  detail::Extent channels_;
};

namespace detail {
template <class Data>
struct ElementOf;
template <class Element>
struct ElementOf<TokenView<Element>> {
  using type = std::remove_const_t<Element>;
};
template <class Element>
struct ElementOf<StreamView<Element>> {
  using type = std::remove_const_t<Element>;
};
template <class Element>
struct ElementOf<Tokens<Element>> {
  using type = Element;
};
template <class Element>
struct ElementOf<Streams<Element>> {
  using type = Element;
};

}  // namespace detail

/// The element type of a view or an owner of tokens or streams, const or not. Functions that take
/// any of these deduce it from one argument, an output, and convert all others.
template <class Data>
using element_of = typename detail::ElementOf<std::decay_t<Data>>::type;
/// The type that they compute in.
template <class Data>
using compute_of = compute_t<element_of<Data>>;

MHC_NAMESPACE_END
