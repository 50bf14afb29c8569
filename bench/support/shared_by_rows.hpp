// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <tuple>
#include <typeindex>
#include <typeinfo>

#include <mhc/element.hpp>

namespace mhc_bench {

/// Successive rows of one size share their data; the previous size's data is freed first.
template <class Value>
std::shared_ptr<Value> shared_by_rows(mhc::Index tokens, mhc::Index channels) {
  using Key = std::tuple<std::type_index, mhc::Index, mhc::Index>;
  static Key last{typeid(void), 0, 0};
  static std::shared_ptr<void> value;
  const Key key{typeid(Value), tokens, channels};
  if (key != last) {
    value.reset();
    value = std::make_shared<Value>(tokens, channels);
    last = key;
  }
  return std::static_pointer_cast<Value>(value);
}

}  // namespace mhc_bench
