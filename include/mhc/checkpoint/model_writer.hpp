// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <mhc/checkpoint/family.hpp>
#include <mhc/checkpoint/safetensors_writer.hpp>

MHC_NAMESPACE_BEGIN
namespace checkpoint {

/// Writes sites to a safetensors file as F32, under DeepSeek-V4's tensor names:
///
///   layers.{N}.hc_{attn,ffn}_{fn (R, K), scale (3), base (R)}    hc_head_{fn (n, K), scale, base}
///
///   ModelWriter writer(Family::deepseek_v4);
///   writer.add("layers.0.hc_attn", attention.view());
///   writer.add("hc_head", head.view());
///   writer.write("model.safetensors");
///
/// The metadata records the family, so that `recognize` is certain.
class ModelWriter {
 public:
  /// The family whose options the sites were trained with. Throws std::invalid_argument unless it
  /// uses DeepSeek-V4's names: deepseek_v4, deepseek_v41, glm53_flash or megatron_dev.
  explicit ModelWriter(Family family) : family_(family) {
    if (family != Family::deepseek_v4 && family != Family::deepseek_v41 &&
        family != Family::glm53_flash && family != Family::megatron_dev) {
      mhc::detail::refuse("checkpoint::ModelWriter", "family is ", name(family),
                          ", expected one whose tensors have DeepSeek-V4's names");
    }
  }
  ModelWriter(ModelWriter&&) = default;  // not copyable: the tensors point to the values
  ModelWriter& operator=(ModelWriter&&) = default;

  /// Copies the parameters of a site or a head into {site}_fn, {site}_scale and {site}_base.
  template <int N, class Scalar, class Connection>
  void add(const std::string& site, ParametersView<N, Scalar, Connection> parameters) {
    static_assert(std::is_same_v<Connection, ManifoldConstrained> ||
                      std::is_same_v<Connection, LearnedCollapse>,
                  "mhc::checkpoint::ModelWriter: DeepSeek-V4's names are for mHC and its head");
    using Shape = typename Connection::template Shape<N>;
    const Index depth = parameters.depth(parameters.channels);
    float* const phi = tensor(site + "_fn", {Shape::projections, depth});
    float* const alpha = tensor(site + "_scale", {Shape::gates});
    float* const b = tensor(site + "_base", {Shape::logits});
    save_stored(families::DeepSeekV4::layout(), parameters, phi, alpha, b);
  }

  /// Writes the file atomically; throws std::runtime_error as write_safetensors does.
  void write(const std::string& path) const {
    write_safetensors(path, tensors_, {{"format", "pt"}, {"mhc.family", name(family_)}});
  }

 private:
  float* tensor(const std::string& name, std::vector<Index> shape) {
    Tensor made{name, DType::f32, std::move(shape), nullptr, 0};
    std::vector<float>& values = values_.emplace_back(static_cast<std::size_t>(made.size()));
    made.data = reinterpret_cast<const std::byte*>(values.data());
    made.bytes = values.size() * sizeof(float);
    tensors_.push_back(std::move(made));
    return values.data();
  }

  Family family_;
  std::deque<std::vector<float>> values_;
  std::vector<Tensor> tensors_;
};

}  // namespace checkpoint
MHC_NAMESPACE_END
