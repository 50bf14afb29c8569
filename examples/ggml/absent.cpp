// SPDX-License-Identifier: MIT
// What stands for the example where ggml is not there.
#include <iostream>

int main() {
  std::cout << "No ggml with operators for hyper-connections was found when this was configured: "
               "install ggml and name its prefix, GGML_DIR=/path/to/ggml bash examples/run.sh "
               "ggml.\n";
  return 77;  // skipped
}
