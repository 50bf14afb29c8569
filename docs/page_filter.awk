# SPDX-License-Identifier: MIT
# What Doxygen reads of a page, line by line what the page says.
#
#   - The licence's comment would keep it from finding the title below.
#   - An apostrophe ends a `code span` of Doxygen's, but not one in double backticks.
#   - A heading has GitHub's anchor, with the page's name before it, and links lead there. (Those of a
#     changelog come again with each version.)
#   - A link to what is no page of the site is its text.
function spans(text,    parts, count, i, out, mark) {
  count = split(text, parts, "`")
  if (count % 2 == 0) return text
  for (i = 1; i <= count; ++i) {
    mark = parts[i] ~ /'/ ? "``" : "`"
    out = out (i % 2 == 0 ? mark parts[i] mark : parts[i])
  }
  return out
}

function name(path) {
  sub(/.*\//, "", path)
  sub(/\.md$/, "", path)
  return path
}

function anchor(heading) {
  heading = tolower(heading)
  sub(/^#+ /, "", heading)
  gsub(/[^a-z0-9_ -]/, "", heading)
  gsub(/ /, "-", heading)
  return name(FILENAME) "-" heading
}

# ](#there), ](page.md#there)
function links(text,    out, target, at) {
  while (match(text, /\[[^][]*\]\((\.\.\/)?(bench|cmake|examples|include|tests)\/[^()]*\)/)) {
    target = substr(text, RSTART + 1, RLENGTH - 1)
    sub(/\]\(.*/, "", target)
    text = substr(text, 1, RSTART - 1) target substr(text, RSTART + RLENGTH)
  }
  while (match(text, /\]\([^()# ]*#[^() ]*\)/)) {
    target = substr(text, RSTART + 2, RLENGTH - 3)
    out = out substr(text, 1, RSTART - 1)
    if (target ~ /^#/) target = "#" name(FILENAME) "-" substr(target, 2)
    else if (target !~ /^[a-z]+:/) {
      at = index(target, "#")
      target = "#" name(substr(target, 1, at - 1)) "-" substr(target, at + 1)
    }
    out = out "](" target ")"
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}

NR == 1 && /^<!-- SPDX/ { print ""; next }
/^ *```/ { in_block = !in_block; print; next }
in_block || /^    / { print; next }
/^##+ / && FILENAME !~ /CHANGELOG/ { print $0 " {#" anchor($0) "}"; next }
{ print links(spans($0)) }
