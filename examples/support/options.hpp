// SPDX-License-Identifier: MIT
// Command lines of the examples: a table of options, each with its limits and its line of --help.
// An unknown option or an invalid value is an error that names it.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace command_line {

// An error in the command line: exit code 2.
struct UsageError : std::runtime_error {
  explicit UsageError(const std::string& what)
      : std::runtime_error(what + "; --help lists the options") {}
};

struct Option {
  std::string name;
  std::string value;  // what it takes, for --help; empty: a switch
  std::string help;
  std::function<void(const std::string&)> set;
};

inline long long parse_integer(const std::string& name, const std::string& value, long long least,
                               long long most) {
  char* end = nullptr;
  errno = 0;
  const long long number = std::strtoll(value.c_str(), &end, 10);
  if (value.empty() || *end != '\0' || errno != 0 || number < least || number > most) {
    throw UsageError(name + ": '" + value + "' is not a whole number from " +
                     std::to_string(least) + " to " + std::to_string(most));
  }
  return number;
}

inline double parse_number(const std::string& name, const std::string& value, double most) {
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !(number > 0 && number <= most)) {
    throw UsageError(name + ": '" + value + "' is not a number above 0 and up to " +
                     std::to_string(static_cast<int>(most)));
  }
  return number;
}

inline double parse_weight(const std::string& name, const std::string& value, double most) {
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (value.empty() || *end != '\0' || !(number >= 0 && number <= most)) {
    throw UsageError(name + ": '" + value + "' is not a number from 0 to " +
                     std::to_string(static_cast<int>(most)));
  }
  return number;
}

// Setters, which store an option's value as an integer, a number, a path, a switch.
template <class Integer>
auto set_integer(Integer& target, const char* name, long long least, long long most) {
  return [&target, name, least, most](const std::string& value) {
    target = static_cast<Integer>(parse_integer(name, value, least, most));
  };
}

inline auto set_number(double& target, const char* name, double most) {
  return
      [&target, name, most](const std::string& value) { target = parse_number(name, value, most); };
}

inline auto set_weight(double& target, const char* name, double most) {
  return
      [&target, name, most](const std::string& value) { target = parse_weight(name, value, most); };
}

inline auto set_on_off(bool& target, const char* name) {
  return [&target, name](const std::string& value) {
    if (value != "on" && value != "off") {
      throw UsageError(std::string(name) + ": '" + value + "' is neither on nor off");
    }
    target = value == "on";
  };
}

template <class Path>
auto set_path(Path& target, const char* name) {
  return [&target, name](const std::string& value) {
    if (value.empty()) throw UsageError(std::string(name) + ": the path is empty");
    target = value;
  };
}

// named(value) throws std::invalid_argument for unknown values.
template <class Value, class Named>
auto set_named(Value& target, Named named) {
  return [&target, named](const std::string& value) {
    try {
      target = named(value);
    } catch (const std::invalid_argument& error) {
      throw UsageError(error.what());
    }
  };
}

inline auto set_switch(bool& target) {
  return [&target](const std::string&) { target = true; };
}

template <class Value>
std::string with_default(const std::string& help, const Value& value) {
  std::ostringstream text;
  text << help << "; default: " << value;
  return text.str();
}

// Rejects arguments that are not options.
struct NoWords {
  void operator()(const std::string& word) const {
    throw UsageError("unknown option '" + word + "'");
  }
};

// Applies the arguments in order and returns the names given. take_word(word) gets arguments that
// do not begin with '-'.
template <class TakeWord = NoWords>
std::vector<std::string> parse_options(const std::vector<Option>& table,
                                       const std::vector<std::string>& arguments,
                                       const TakeWord& take_word = {}) {
  std::vector<std::string> given;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto option = std::find_if(table.begin(), table.end(), [&](const Option& known) {
      return known.name == arguments[i];
    });
    if (option == table.end()) {
      if (arguments[i].substr(0, 1) == "-") NoWords()(arguments[i]);
      take_word(arguments[i]);
      continue;
    }
    given.push_back(option->name);
    if (option->value.empty()) {
      option->set("");
    } else if (i + 1 == arguments.size()) {
      throw UsageError(option->name + " needs a value: " + option->value);
    } else {
      option->set(arguments[++i]);
    }
  }
  return given;
}

inline bool is_given(const std::vector<std::string>& given, const std::string& name) {
  return std::find(given.begin(), given.end(), name) != given.end();
}

// --quick sets these options itself.
inline void refuse_beside_quick(const std::vector<std::string>& given,
                                const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (is_given(given, name)) throw UsageError(name + " and --quick contradict each other");
  }
}

// main(): prints an error and returns 2 for a wrong command line, 1 for any other failure; else
// what run() returns.
template <class Run>
int run_program(const char* name, Run&& run) {
  try {
    return run();
  } catch (const UsageError& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "%s: not enough memory\n", name);
    return 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

// A line for each option.
inline std::string help_lines(const std::vector<Option>& table, std::size_t column = 28) {
  std::string text;
  for (const Option& option : table) {
    std::string left = "  " + option.name + (option.value.empty() ? "" : " " + option.value);
    left.resize(std::max<std::size_t>(left.size() + 2, column), ' ');
    text += left + option.help + "\n";
  }
  return text;
}

}  // namespace command_line
