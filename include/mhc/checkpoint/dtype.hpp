// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

#include <mhc/element.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// The element type of a tensor in a file. The first four can be read as numbers. For the others
/// only the size is known, which is enough to validate and list files that contain them.
enum class DType {
  f64,
  f32,
  f16,
  bf16,
  // safetensors and ggml
  i64,
  i32,
  i16,
  i8,
  // safetensors
  u64,
  u32,
  u16,
  u8,
  boolean,
  c64,
  f8_e4m3,
  f8_e5m2,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  f6_e2m3,
  f6_e3m2,
  f4,
  // ggml, block-quantised
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq1_s,
  iq1_m,
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq4_nl,
  iq4_xs,
  tq1_0,
  tq2_0,
  mxfp4,
  nvfp4,
  unknown,  ///< a ggml type not in this list
};

namespace detail {

/// A block of `block` elements takes `bytes` bytes.
struct DTypeRow {
  const char* name;
  int block;
  int bytes;
};

/// In the order of DType, spelt as in the file formats.
inline constexpr DTypeRow dtype_rows[] = {
    {"F64", 1, 8},        {"F32", 1, 4},         {"F16", 1, 2},         {"BF16", 1, 2},
    {"I64", 1, 8},        {"I32", 1, 4},         {"I16", 1, 2},         {"I8", 1, 1},
    {"U64", 1, 8},        {"U32", 1, 4},         {"U16", 1, 2},         {"U8", 1, 1},
    {"BOOL", 1, 1},       {"C64", 1, 8},         {"F8_E4M3", 1, 1},     {"F8_E5M2", 1, 1},
    {"F8_E8M0", 1, 1},    {"F8_E4M3FNUZ", 1, 1}, {"F8_E5M2FNUZ", 1, 1}, {"F6_E2M3", 4, 3},
    {"F6_E3M2", 4, 3},    {"F4", 2, 1},          {"Q4_0", 32, 18},      {"Q4_1", 32, 20},
    {"Q5_0", 32, 22},     {"Q5_1", 32, 24},      {"Q8_0", 32, 34},      {"Q8_1", 32, 36},
    {"Q2_K", 256, 84},    {"Q3_K", 256, 110},    {"Q4_K", 256, 144},    {"Q5_K", 256, 176},
    {"Q6_K", 256, 210},   {"Q8_K", 256, 292},    {"IQ1_S", 256, 50},    {"IQ1_M", 256, 56},
    {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74},   {"IQ2_S", 256, 82},    {"IQ3_XXS", 256, 98},
    {"IQ3_S", 256, 110},  {"IQ4_NL", 32, 18},    {"IQ4_XS", 256, 136},  {"TQ1_0", 256, 54},
    {"TQ2_0", 256, 66},   {"MXFP4", 32, 17},     {"NVFP4", 64, 36},     {"unknown", 1, 0},
};
static_assert(sizeof dtype_rows / sizeof *dtype_rows == static_cast<int>(DType::unknown) + 1,
              "mhc::checkpoint: a row for each DType");

constexpr const DTypeRow& row(DType dtype) {
  return dtype_rows[static_cast<int>(dtype)];
}

constexpr bool is_in_safetensors(DType dtype) {
  return dtype <= DType::f4;
}

/// The type with this name in safetensors, or unknown.
inline DType safetensors_dtype(std::string_view name) {
  for (int i = 0; is_in_safetensors(static_cast<DType>(i)); ++i) {
    if (name == dtype_rows[i].name) return static_cast<DType>(i);
  }
  return DType::unknown;
}

}  // namespace detail

/// "F32", "BF16", "Q4_K": as spelt in the files.
constexpr const char* name(DType dtype) {
  return detail::row(dtype).name;
}

/// True if Tensor::copy_to can convert it: F64, F32, F16 or BF16.
constexpr bool is_number(DType dtype) {
  return dtype <= DType::bf16;
}

/// The DType of double, float, f16 or bf16.
template <class Element>
constexpr DType dtype_of() {
  static_assert(is_element<Element>, "mhc::checkpoint: an element is double, float, f16 or bf16");
  if constexpr (std::is_same_v<Element, double>) return DType::f64;
  if constexpr (std::is_same_v<Element, float>) return DType::f32;
  if constexpr (std::is_same_v<Element, f16>) return DType::f16;
  return DType::bf16;
}

}  // namespace checkpoint
MHC_NAMESPACE_END
