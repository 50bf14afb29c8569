// SPDX-License-Identifier: MIT
#pragma once

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

namespace ggml_example {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using Context = std::unique_ptr<ggml_context, Deleter<ggml_free>>;
using Backend = std::unique_ptr<ggml_backend, Deleter<ggml_backend_free>>;
using Buffer = std::unique_ptr<ggml_backend_buffer, Deleter<ggml_backend_buffer_free>>;
using Allocator = std::unique_ptr<ggml_gallocr, Deleter<ggml_gallocr_free>>;

/// A context of tensor descriptions only; their data is allocated later.
inline Context descriptions() {
  return Context(ggml_init({ggml_tensor_overhead() * 256 + ggml_graph_overhead(), nullptr, true}));
}

/// Tensors that outlive the graphs: inputs and weights.
class Memory {
 public:
  explicit Memory(ggml_backend_t backend) : backend_(backend), context_(descriptions()) {}

  ggml_tensor* tensor(std::int64_t ne0, std::int64_t ne1 = 1, std::int64_t ne2 = 1) {
    return ggml_new_tensor_3d(context_.get(), GGML_TYPE_F32, ne0, ne1, ne2);
  }

  void allocate() {
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), backend_));
    if (buffer_ == nullptr) throw std::runtime_error("not enough memory");
  }

 private:
  ggml_backend_t backend_;
  Context context_;
  Buffer buffer_;
};

/// N(0, scale^2).
inline void fill(ggml_tensor* tensor, float scale, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0F, scale);
  std::vector<float> values(static_cast<std::size_t>(ggml_nelements(tensor)));
  for (float& value : values) value = normal(random);
  ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
}

inline std::vector<float> values_of(const ggml_tensor* tensor) {
  std::vector<float> values(static_cast<std::size_t>(ggml_nelements(tensor)));
  ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
  return values;
}

/// A graph in its own memory, which ggml reuses: only the results are kept.
class Graph {
 public:
  using Build = std::function<std::vector<ggml_tensor*>(ggml_context* context)>;

  Graph(ggml_backend_t backend, const Build& build)
      : backend_(backend),
        context_(descriptions()),
        graph_(ggml_new_graph(context_.get())),
        allocator_(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend))),
        results_(build(context_.get())) {
    for (ggml_tensor* result : results_) {
      ggml_set_output(result);
      ggml_build_forward_expand(graph_, result);
    }
    if (!ggml_gallocr_alloc_graph(allocator_.get(), graph_)) {
      throw std::runtime_error("not enough memory for the graph");
    }
  }

  void compute() {
    if (ggml_backend_graph_compute(backend_, graph_) != GGML_STATUS_SUCCESS) {
      throw std::runtime_error("the graph could not be computed");
    }
  }

  ggml_tensor* result(std::size_t i) const { return results_[i]; }

 private:
  ggml_backend_t backend_;
  Context context_;
  ggml_cgraph* graph_;
  Allocator allocator_;
  std::vector<ggml_tensor*> results_;
};

}  // namespace ggml_example
