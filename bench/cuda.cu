// SPDX-License-Identifier: MIT
// Times the calls of mhc::cuda against the device's copy ceiling: cuda [out.json]

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <mhc/cuda.hpp>

namespace {

using mhc::Index;
using mhc::cuda::check;

/// Medians of so many replays of a graph of at least so many launches.
constexpr int replays = 15;
constexpr int launches = 4;

template <class T>
T* allocate(Index size) {
  void* data = nullptr;
  check("benchmark", cudaMalloc(&data, static_cast<std::size_t>(size) * sizeof(T)));
  return static_cast<T*>(data);
}

/// Numbers in (-1, 1), different everywhere: zeros would run faster.
__device__ float number(std::size_t i) {
  unsigned bits = static_cast<unsigned>(i) * 2654435761u;
  bits ^= bits >> 15;
  bits *= 2246822519u;
  bits ^= bits >> 13;
  return static_cast<float>(bits) * 0x1p-31f - 1.0f;
}
template <class D>
__global__ void fill(D* data, Index size, float scale) {
  for (Index i = blockIdx.x * Index{blockDim.x} + threadIdx.x; i < size;
       i += Index{gridDim.x} * blockDim.x) {
    mhc::cuda::kernels::from_scalar(scale * number(static_cast<std::size_t>(i)), data[i]);
  }
}
template <class Element>
Element* filled(Index size, float scale) {
  auto* data = allocate<Element>(size);
  fill<<<1024, 256>>>(reinterpret_cast<mhc::cuda::device_t<Element>*>(data), size, scale);
  check("benchmark", cudaGetLastError());
  return data;
}

/// The copy that the ceiling is taken from: 16 bytes a thread, four of them in flight.
__global__ void copy(const uint4* from, uint4* to, Index size) {
  const Index begin = blockIdx.x * Index{blockDim.x} * 4 + threadIdx.x;
  uint4 values[4];
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const Index i = begin + k * Index{blockDim.x};
    if (i < size) values[k] = from[i];
  }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    const Index i = begin + k * Index{blockDim.x};
    if (i < size) to[i] = values[k];
  }
}

__global__ void spin(long long cycles) {
  const long long start = clock64();
  while (clock64() - start < cycles) {
  }
}

/// Microseconds of call(k), k = 0, 1, ...: the call number, to rotate memory by.
double time(int calls, const std::function<void(int, cudaStream_t)>& call) {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
  check("benchmark", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check("benchmark", cudaEventCreate(&begin));
  check("benchmark", cudaEventCreate(&end));
  check("benchmark", cudaDeviceSynchronize());
  check("benchmark", cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  for (int k = 0; k < calls; ++k) call(k, stream);
  check("benchmark", cudaStreamEndCapture(stream, &graph));
  check("benchmark", cudaGraphInstantiate(&exec, graph, 0));
  spin<<<132, 32, 0, stream>>>(400000000);  // an idle device takes this long to raise its clocks
  std::vector<double> us;
  for (int r = -3; r < replays; ++r) {
    check("benchmark", cudaEventRecord(begin, stream));
    check("benchmark", cudaGraphLaunch(exec, stream));
    check("benchmark", cudaEventRecord(end, stream));
    check("benchmark", cudaStreamSynchronize(stream));
    float ms = 0;
    check("benchmark", cudaEventElapsedTime(&ms, begin, end));
    if (r >= 0) us.push_back(static_cast<double>(ms) * 1000 / calls);
  }
  std::sort(us.begin(), us.end());
  check("benchmark", cudaGraphExecDestroy(exec));
  check("benchmark", cudaGraphDestroy(graph));
  check("benchmark", cudaStreamDestroy(stream));
  return us[us.size() / 2];
}

struct Report {
  std::FILE* json;
  double ceiling;  ///< bytes a microsecond
  bool first = true;

  void add(const char* call, const char* element, int n, Index tokens, Index channels, double us,
           double bytes) {
    const double fraction = bytes / us / ceiling;
    std::printf("%-20s %-5s n = %d  T = %6td  C = %5td  %9.2f us  %.2f of copy\n", call, element, n,
                tokens, channels, us, fraction);
    if (json == nullptr) return;
    std::fprintf(json,
                 "%s\n    {\"call\": \"%s\", \"element\": \"%s\", \"n\": %d, \"T\": %td, \"C\": "
                 "%td, \"us\": %.3f, \"bytes\": %.0f, \"fraction\": %.4f}",
                 first ? "" : ",", call, element, n, tokens, channels, us, bytes, fraction);
    first = false;
  }
};

template <int N, class Element>
void measure(Report& report, const char* name, Index tokens, Index channels) {
  using Block = mhc::cuda::Block<N, Element>;
  using Scalar = typename Block::Scalar;
  const double unit = static_cast<double>(tokens * channels) * sizeof(Element);
  // Buffers rotate until they outgrow every cache.
  const int sets = static_cast<int>(std::clamp(3e8 / (unit * (2 * N + 2)), 1.0, 32.0));
  struct Set {
    mhc::StreamView<Element> x, x_next;
    mhc::TokenView<Element> v, u;
    typename Block::SavedView saved, next_saved;
  };
  std::vector<void*> owned;
  const auto own = [&](auto* data) {
    owned.push_back(data);
    return data;
  };
  std::vector<Set> all;
  for (int s = 0; s < sets; ++s) {
    Set set;
    set.x = {own(filled<Element>(tokens * N * channels, 1.0f)), tokens, N, channels};
    set.x_next = {own(filled<Element>(tokens * N * channels, 1.0f)), tokens, N, channels};
    set.v = {own(filled<Element>(tokens * channels, 1.0f)), tokens, channels};
    set.u = {own(filled<Element>(tokens * channels, 1.0f)), tokens, channels};
    const Index records = tokens * Block::SavedView::record;
    set.saved = {own(filled<Scalar>(records, 0.5f)), tokens};
    set.next_saved = {own(filled<Scalar>(records, 0.5f)), tokens};
    all.push_back(set);
  }
  const Index size = Block::ConstParametersView::size(channels);
  const auto* numbers = own(filled<Scalar>(size, 0.02f));
  const Block block({numbers, channels});
  const std::size_t bytes = block.workspace_bytes(tokens);
  const mhc::cuda::Workspace workspace{own(allocate<char>(static_cast<Index>(bytes))), bytes};
  const int calls = std::max(launches, sets);
  const auto at = [&](int k) -> Set& { return all[static_cast<std::size_t>(k % sets)]; };
  report.add("finish", name, N, tokens, channels,
             time(calls,
                  [&](int k, cudaStream_t stream) {
                    const Set& s = at(k);
                    block.finish(s.x, s.v, s.saved, s.x_next, stream);
                  }),
             unit * (2 * N + 1));
  report.add("prepare", name, N, tokens, channels,
             time(calls,
                  [&](int k, cudaStream_t stream) {
                    const Set& s = at(k);
                    block.prepare(s.x, s.u, s.saved, workspace, stream);
                  }),
             unit * (N + 1));
  report.add("finish_and_prepare", name, N, tokens, channels,
             time(calls,
                  [&](int k, cudaStream_t stream) {
                    const Set& s = at(k);
                    block.finish_and_prepare(s.x, s.v, s.saved, s.x_next, block, s.u, s.next_saved,
                                             workspace, stream);
                  }),
             unit * (2 * N + 2));
  for (void* data : owned) check("benchmark", cudaFree(data));
}

/// The calls at both ends of a model: expand, collapse, the head.
template <class Element>
void measure_ends(Report& report, const char* name, Index tokens, Index channels) {
  constexpr int N = 4;
  using Head = mhc::cuda::Head<N, Element>;
  using Scalar = typename Head::Scalar;
  const double unit = static_cast<double>(tokens * channels) * sizeof(Element);
  const int sets = static_cast<int>(std::clamp(3e8 / (unit * (N + 1)), 1.0, 32.0));
  std::vector<mhc::StreamView<Element>> x;
  std::vector<mhc::TokenView<Element>> h;
  std::vector<void*> owned;
  const auto own = [&](auto* data) {
    owned.push_back(data);
    return data;
  };
  for (int s = 0; s < sets; ++s) {
    x.push_back({own(filled<Element>(tokens * N * channels, 1.0f)), tokens, N, channels});
    h.push_back({own(filled<Element>(tokens * channels, 1.0f)), tokens, channels});
  }
  const auto* numbers = own(filled<Scalar>(Head::ConstParametersView::size(channels), 0.02f));
  const Head head({numbers, channels});
  const typename Head::SavedView saved(own(allocate<Scalar>(Head::SavedView::size(tokens))),
                                       tokens);
  const std::size_t bytes = head.workspace_bytes(tokens);
  const mhc::cuda::Workspace workspace{own(allocate<char>(static_cast<Index>(bytes))), bytes};
  const int calls = std::max(launches, sets);
  const auto add = [&](const char* call, const auto& launch) {
    const double us = time(calls, [&](int k, cudaStream_t stream) {
      const auto at = static_cast<std::size_t>(k % sets);
      launch(x[at], h[at], stream);
    });
    report.add(call, name, N, tokens, channels, us, unit * (N + 1));
  };
  using Streams = mhc::StreamView<Element>;
  using Tokens = mhc::TokenView<Element>;
  add("expand_repeat", [](Streams to, Tokens from, cudaStream_t stream) {
    mhc::cuda::expand_repeat<Element>(from, to, stream);
  });
  add("collapse_mean", [](Streams from, Tokens to, cudaStream_t stream) {
    mhc::cuda::collapse_mean<Element>(from, to, stream);
  });
  add("Head::forward", [&](Streams from, Tokens to, cudaStream_t stream) {
    head.forward(from, to, saved, workspace, stream);
  });
  for (void* data : owned) check("benchmark", cudaFree(data));
}

/// Sinkhorn-Knopp alone: `count` matrices, 20 iterations.
template <int N>
void measure_matrices(Report& report, Index count) {
  const double bytes = static_cast<double>(2 * count * N * N) * sizeof(float);
  const int sets = static_cast<int>(std::clamp(3e8 / bytes, 1.0, 32.0));
  std::vector<float*> logits;
  std::vector<float*> res;
  for (int s = 0; s < sets; ++s) {
    logits.push_back(filled<float>(count * N * N, 2.0f));
    res.push_back(allocate<float>(count * N * N));
  }
  mhc::SinkhornKnoppOptions options;
  options.start_eps = options.divisor_eps = 1e-6;
  const double us = time(std::max(launches, sets), [&](int k, cudaStream_t stream) {
    const auto at = static_cast<std::size_t>(k % sets);
    mhc::cuda::sinkhorn_knopp<N, float>({logits[at], count, N, N}, options, {res[at], count, N, N},
                                        stream);
  });
  report.add("sinkhorn_knopp", "float", N, count, N, us, bytes);
  for (int s = 0; s < sets; ++s) {
    check("benchmark", cudaFree(logits[static_cast<std::size_t>(s)]));
    check("benchmark", cudaFree(res[static_cast<std::size_t>(s)]));
  }
}

}  // namespace

int main(int count, char** arguments) {
  cudaDeviceProp device = {};
  check("benchmark", cudaGetDeviceProperties(&device, 0));
  const mhc::Index gibibyte = mhc::Index{1} << 30;
  auto* from = filled<float>(gibibyte / 4, 1.0f);
  auto* to = allocate<float>(gibibyte / 4);
  const double driver_us = time(launches, [&](int, cudaStream_t stream) {
    check("benchmark", cudaMemcpyAsync(to, from, static_cast<std::size_t>(gibibyte),
                                       cudaMemcpyDeviceToDevice, stream));
  });
  const double kernel_us = time(launches, [&](int, cudaStream_t stream) {
    const mhc::Index size = gibibyte / 16;
    copy<<<static_cast<unsigned>(size / 1024), 256, 0, stream>>>(
        reinterpret_cast<const uint4*>(from), reinterpret_cast<uint4*>(to), size);
    check("benchmark", cudaGetLastError());
  });
  const double copy_us = std::min(driver_us, kernel_us);  // the better of the driver's and a kernel
  check("benchmark", cudaFree(from));
  check("benchmark", cudaFree(to));
  std::FILE* json = count > 1 ? std::fopen(arguments[1], "w") : nullptr;
  if (count > 1 && json == nullptr) {
    std::fprintf(stderr, "cuda: %s cannot be written\n", arguments[1]);
    return 1;
  }
  Report report{json, 2.0 * static_cast<double>(gibibyte) / copy_us};
  std::printf("%s, %d SMs, copy of 1 GiB: %.0f GB/s, read and written\n", device.name,
              device.multiProcessorCount, report.ceiling / 1000);
  if (json != nullptr) {
    std::fprintf(
        json,
        "{\n  \"device\": \"%s\", \"sms\": %d, \"copy_bytes_per_second\": %.0f,\n  \"calls\": [",
        device.name, device.multiProcessorCount, report.ceiling * 1e6);
  }
  for (const mhc::Index tokens : {1, 16, 128, 1024, 4096, 16384}) {
    measure<4, mhc::bf16>(report, "bf16", tokens, 4096);
  }
  for (const mhc::Index channels : {1280, 2048, 7168}) {
    measure<4, mhc::bf16>(report, "bf16", 4096, channels);
  }
  measure<4, float>(report, "float", 4096, 4096);
  measure<2, mhc::bf16>(report, "bf16", 4096, 4096);
  measure<8, mhc::bf16>(report, "bf16", 4096, 4096);
  for (const mhc::Index tokens : {1, 16, 4096}) {
    measure_ends<mhc::bf16>(report, "bf16", tokens, 4096);
  }
  for (const mhc::Index count : {1, 4096, 65536}) measure_matrices<4>(report, count);
  measure_matrices<8>(report, 65536);
  if (json != nullptr) {
    std::fprintf(json, "\n  ]\n}\n");
    std::fclose(json);
  }
  return 0;
}
