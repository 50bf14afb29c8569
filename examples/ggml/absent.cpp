// SPDX-License-Identifier: MIT
// Replaces the example if ggml was not found.
#include <iostream>

int main() {
  std::cout << "No ggml with operators for hyper-connections was found when this was configured: "
               "install ggml and name its prefix, GGML_DIR=/path/to/ggml bash examples/run.sh "
               "ggml.\n";
  return 77;  // skipped
}
