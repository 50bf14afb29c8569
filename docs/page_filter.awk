# SPDX-License-Identifier: MIT
# Filters a page for Doxygen, line by line.
#
#   - The licence comment is dropped, so that Doxygen finds the title below it.
#   - An apostrophe ends a `code span` in Doxygen, but not one in double backticks.
#   - A heading gets GitHub's anchor, prefixed with the page's name, and links lead there. (Headings of a
#     changelog repeat with each version, so they get none.)
#   - A link to a file that is not a page of the site becomes its text.
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
