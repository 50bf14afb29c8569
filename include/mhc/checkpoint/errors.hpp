// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <mhc/check.hpp>
#include <mhc/files/utf8.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// An untrusted name made safe to print: control characters and invalid UTF-8 become '?', and it is
/// truncated to `most` bytes.
inline std::string printable(std::string_view name, std::size_t most = 100) {
  std::string text(name.substr(0, most));
  while (text.size() == most && !text.empty() && !files::detail::is_utf8(text) &&
         text.size() > most - 4) {
    text.pop_back();  // a character split by the truncation
  }
  const bool is_text = files::detail::is_utf8(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text)) text[i] = '?';
    if (byte == 0xc2 && is_text && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
      text[i] = text[i + 1] = '?';  // U+0080 to U+009F: controls on some terminals
      ++i;
    }
  }
  return text + (name.size() > most ? "..." : "");
}

namespace detail {

/// Throws std::runtime_error with the sentence "mhc::checkpoint: <path>: <parts...>".
template <class... Parts>
[[noreturn]] MHC_COLD void refuse(const std::string& path, const Parts&... parts) {
  mhc::detail::refuse_file("checkpoint", path, parts...);
}

/// printable(name) in single quotes.
inline std::string in_quotes(std::string_view name) {
  return "'" + checkpoint::printable(name) + "'";
}

}  // namespace detail
}  // namespace checkpoint
MHC_NAMESPACE_END
