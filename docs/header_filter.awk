# SPDX-License-Identifier: MIT
# Filters a header for Doxygen. Its comments are plain text.
#
#   - The // paragraph that opens a header, with a blank line below it, describes the file.
#   - Indented lines of a docstring are formulas, shapes or code, shown verbatim.
#   - A < in prose is not HTML.
#   - Protected members are not part of the interface.
#   - Comments in a C header become docstrings.
{ line[NR] = FILENAME ~ /\.h$/ ? of_c($0) : $0 }

function of_c(text) {
  if (NR == 1) return "/// @file"
  if (text ~ /NOLINT/) return ""
  if (in_comment) sub(/^ \*/, "///", text)
  else if (text ~ /^\/\* /) { in_comment = 1; sub(/^\/\*/, "///", text) }
  else if (text ~ /[;,0-9] +\/\* .*\*\/$/) sub(/\/\*/, "///<", text)
  if (text ~ /\*\/$/) { in_comment = 0; sub(/ *\*\/$/, "", text) }
  return text
}

# Escapes text outside of `code`.
function plain(text,    parts, count, i, out, mark) {
  count = split(text, parts, "`")
  for (i = 1; i <= count; ++i) {
    mark = i % 2 == 0 ? (parts[i] ~ /'/ ? "``" : "`") : ""
    if (i % 2 == 1) gsub(/</, "\\&lt;", parts[i])
    out = out mark parts[i] mark
  }
  return out
}

function is_doc(i) { return line[i] ~ /^ *\/\/\/([^<\/]|$)/ }

# The text after ///, with its indentation.
function text_of(i,    text) { text = line[i]; sub(/^ *\/\/\//, "", text); return text }

# Marks the formulas of the docstring in lines first to last.
function docstring(first, last,    i, k, in_list, text, from) {
  for (i = first; i <= last; ++i) {
    text = text_of(i)
    if (text ~ /^ *$/) { in_list = 0; continue }
    if (text ~ /^ *- /) in_list = 1
    else if (text !~ /^   /) in_list = 0
    if (in_list || text !~ /^   /) { line[i] = substr(line[i], 1, length(line[i]) - length(text)) plain(text); continue }
    from = i
    for (k = i; k <= last && text_of(k) ~ /^(   .*| *)$/; ++k) if (text_of(k) ~ /[^ ]/) i = k
    for (k = from; k <= i; ++k) sub(/\/\/\//, "///    ", line[k])
    if (from > first && text_of(from - 1) ~ /[^ ]/) line[from] = "///\n" line[from]
    if (i < last && text_of(i + 1) ~ /[^ ]/) line[i] = line[i] "\n///"
  }
}

END {
  for (i = 1; i <= NR; ++i) {
    if (!opened && line[i] ~ /^MHC_NAMESPACE_BEGIN/) {
      opened = 1
      for (k = i + 1; line[k] ~ /^$|^namespace [a-ce-z][a-z_]* \{$/; ++k) {}
      for (first = k; line[k] ~ /^\/\/( |$)/; ++k) {}
      if (k > first && line[k] == "" && line[first - 1] == "") {
        line[first - 1] = "/// @file"
        for (m = first; m < k; ++m) line[m] = "/" line[m]
      }
    }
    sub(/^ *protected:$/, " private:", line[i])
    at = index(line[i], "///<")
    if (at > 0) line[i] = substr(line[i], 1, at + 3) plain(substr(line[i], at + 4))
  }
  for (i = 1; i <= NR; ++i) {
    if (!is_doc(i)) continue
    for (k = i; k < NR && is_doc(k + 1); ++k) {}
    docstring(i, k)
    i = k
  }
  for (i = 1; i <= NR; ++i) print line[i]
}
