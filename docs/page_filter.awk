# SPDX-License-Identifier: MIT
# What Doxygen reads of a page, line by line what the page says.
#
#   - The licence's comment would keep it from finding the title below.
#   - An apostrophe ends a `code span` of Doxygen's, but not one in double backticks.
function spans(text,    parts, count, i, out, mark) {
  count = split(text, parts, "`")
  if (count % 2 == 0) return text
  for (i = 1; i <= count; ++i) {
    mark = parts[i] ~ /'/ ? "``" : "`"
    out = out (i % 2 == 0 ? mark parts[i] mark : parts[i])
  }
  return out
}
NR == 1 && /^<!-- SPDX/ { print ""; next }
/^ *```/ { in_block = !in_block; print; next }
in_block || /^    / { print; next }
{ print spans($0) }
