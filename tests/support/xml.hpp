// SPDX-License-Identifier: MIT
#pragma once

#include <cctype>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <mhc/files/utf8.hpp>

namespace mhc_test {

/// A strict parser for the XML of an SVG: one root, properly nested elements, quoted attributes
/// without duplicates, the five references, comments, UTF-8 without control characters.
class Xml {
 public:
  struct Element {
    std::string name, text;  // the text directly inside, as written
    std::map<std::string, std::string> attributes;
    double number(const std::string& attribute) const {
      const auto at = attributes.find(attribute);
      return at == attributes.end() ? 0 : std::stod(at->second);
    }
  };

  explicit Xml(std::string text) : text_(std::move(text)) { read(); }

  const std::string& error() const { return error_; }  // empty if it is well-formed
  const std::vector<Element>& elements() const { return elements_; }

  std::vector<Element> named(const std::string& name) const {
    std::vector<Element> found;
    for (const Element& element : elements_) {
      if (element.name == name) found.push_back(element);
    }
    return found;
  }

 private:
  void fail(const std::string& what) {
    if (error_.empty()) error_ = what + " at byte " + std::to_string(at_);
  }
  bool takes(std::string_view token) {
    if (text_.compare(at_, token.size(), token) != 0) return false;
    at_ += token.size();
    return true;
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  std::string name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '-' || text_[at_] == ':')) {
      ++at_;
    }
    if (at_ == begin) fail("no name");
    return text_.substr(begin, at_ - begin);
  }

  void check_characters() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const std::size_t length = mhc::files::detail::utf8_length(rest);
      const auto first = static_cast<unsigned char>(rest.front());
      const bool is_control = first == 0x7f || (first < 0x20 && first != '\n') ||
                              (first == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0);
      if (length == 0 || is_control) {
        at_ = text_.size() - rest.size();
        return fail("a byte that does not print");
      }
      rest.remove_prefix(length);
    }
  }

  // Reads text up to `end` and checks its references.
  std::string characters(char end) {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != end) {
      if (text_[at_] == '<') {
        fail("a '<' in a value");
        break;
      }
      if (text_[at_] != '&') {
        ++at_;
      } else if (!takes("&amp;") && !takes("&lt;") && !takes("&gt;") && !takes("&quot;") &&
                 !takes("&#39;")) {
        fail("a lone '&'");
        break;
      }
    }
    return text_.substr(begin, at_ - begin);
  }

  void tag() {
    Element element;
    element.name = name();
    for (skip_blanks(); error_.empty(); skip_blanks()) {
      if (takes("/>")) {
        if (open_.empty() && !elements_.empty()) fail("a second root");
        elements_.push_back(element);
        return;
      }
      if (takes(">")) {
        if (open_.empty() && !elements_.empty()) fail("a second root");
        open_.push_back(elements_.size());
        elements_.push_back(element);
        return;
      }
      const std::string attribute = name();
      if (!takes("=\"")) fail("no value");
      const bool is_new = element.attributes.emplace(attribute, characters('"')).second;
      if (!is_new || !takes("\"")) fail("the attribute " + attribute);
    }
  }

  void read() {
    check_characters();
    while (error_.empty() && at_ < text_.size()) {
      if (takes("<!--")) {
        at_ = text_.find("-->", at_);
        if (at_ == std::string::npos) at_ = text_.size();
        if (!takes("-->")) fail("a comment without end");
      } else if (takes("</")) {
        const std::string ended = name();
        if (open_.empty() || elements_[open_.back()].name != ended || !takes(">")) {
          fail("the end of " + ended);
        } else {
          open_.pop_back();
        }
      } else if (takes("<")) {
        tag();
      } else {
        const std::string text = characters('<');
        if (open_.empty() && text.find_first_not_of(" \n") != std::string::npos) fail("text");
        if (!open_.empty()) elements_[open_.back()].text += text;
      }
    }
    if (error_.empty() && !open_.empty()) fail(elements_[open_.back()].name + " stays open");
    if (error_.empty() && elements_.empty()) fail("no root");
  }

  std::string text_, error_;
  std::size_t at_ = 0;
  std::vector<std::size_t> open_;
  std::vector<Element> elements_;
};

}  // namespace mhc_test
