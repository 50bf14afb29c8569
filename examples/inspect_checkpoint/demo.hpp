// SPDX-License-Identifier: MIT
// A demonstration file, for when no released model is at hand.
#pragma once

#include <cstdint>
#include <string>

#include <mhc/checkpoint/model_writer.hpp>
#include <mhc/mhc.hpp>

namespace inspect_checkpoint {

// Two layers of DeepSeek-V4-Flash's sites, phi (24, 16384) each, and its head, with random numbers
// of a plausible size: 6.6 MB. The streams mix little, and more from site to site.
inline void write_demo(const std::string& path) {
  constexpr int n = 4;
  constexpr mhc::Index channels = 4096;
  constexpr double phi_size = 0.02;
  std::uint64_t seed = 1;
  const auto fill = [&seed](auto map, double size) { mhc::detail::fill_normal(map, size, seed++); };
  mhc::checkpoint::ModelWriter writer(mhc::checkpoint::Family::deepseek_v4);
  float own = 3.0f;
  for (const char* name :
       {"layers.0.hc_attn", "layers.0.hc_ffn", "layers.1.hc_attn", "layers.1.hc_ffn"}) {
    mhc::Parameters<n> site(channels);
    fill(site.phi(), phi_size);
    fill(site.b(), 0.7);
    site.b_res().diagonal().array() += own;
    site.alpha() << 0.3f, 0.2f, 0.25f;
    writer.add(name, site.view());
    own -= 0.7f;
  }
  mhc::Parameters<n, float, mhc::LearnedCollapse> head(channels);
  fill(head.phi(), phi_size);
  fill(head.b(), 0.5);
  head.alpha() << 0.2f;
  writer.add("hc_head", head.view());
  writer.write(path);
}

}  // namespace inspect_checkpoint
