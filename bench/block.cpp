// SPDX-License-Identifier: MIT
// The calls of a block, n = 4, and the mappings of single tokens as in decoding, against plain
// Eigen. A row is one operation on one batch; times are per token.
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "block_calls.hpp"
#include "block_site.hpp"
#include "support/last_level_cache.hpp"
#include "support/plain_eigen.hpp"
#include "support/program.hpp"
#include "support/shared_by_rows.hpp"
#include "support/verify.hpp"
#include "support/work.hpp"

namespace mhc_bench {
namespace {

/// One operation: the calls, ours and plain, and the outputs.
template <class Element>
struct Operation {
  const char* name;
  typename BlockCalls<Element>::Call BlockCalls<Element>::*ours;
  void (Site<Element>::*plain)(const mhc::ThreadPool&);
  Work (SiteWork::*work)() const;
  void (*verify)(const std::string& row, const Site<Element>& site);
};

template <class Element>
std::vector<Operation<Element>> operations() {
  using Ours = BlockCalls<Element>;
  using Plain = Site<Element>;
  return {{"prepare", &Ours::prepare, &Plain::prepare, &SiteWork::prepare,
           [](const std::string& row, const Plain& site) {
             site.verify_u(row);
             site.verify_saved(row);
           }},
          {"finish", &Ours::finish, &Plain::finish, &SiteWork::finish,
           [](const std::string& row, const Plain& site) { site.verify_x_next(row); }},
          {"fused", &Ours::fused, &Plain::fused, &SiteWork::fused,
           [](const std::string& row, const Plain& site) {
             site.verify_x_next(row);
             site.verify_u(row);
             site.verify_next_saved(row);
           }},
          {"finish_backward", &Ours::finish_backward, &Plain::finish_backward,
           &SiteWork::finish_backward,
           [](const std::string& row, const Plain& site) {
             site.verify_dv(row);
             site.verify_cotangents(row);
           }},
          {"prepare_backward", &Ours::prepare_backward, &Plain::prepare_backward,
           &SiteWork::prepare_backward,
           [](const std::string& row, const Plain& site) {
             site.verify_dx_and_gradients(row);
             site.verify_dsaved(row);
           }},
          {"forward_backward", &Ours::forward_backward, &Plain::forward_backward,
           &SiteWork::forward_backward, [](const std::string& row, const Plain& site) {
             site.verify_u(row);
             site.verify_saved(row);
             site.verify_x_next(row);
             site.verify_dv(row);
             site.verify_dx_and_gradients(row);
             site.verify_dsaved(row);
           }}};
}

template <class Element>
void add_site(Program& program, mhc::Index channels, mhc::Index tokens, int threads) {
  for (const Operation<Element>& operation : operations<Element>()) {
    const Row row{operation.name, n, channels, tokens, dtype<Element>(), threads, iterations};
    const SiteWork work{n, iterations, static_cast<double>(channels), static_cast<double>(tokens),
                        sizeof(Element)};
    // The rows that also compare two builds of ours.
    const bool both_builds = channels == 4096 && tokens == 1024 && threads == 1;
    const mhc::ThreadPool& pool = program.pool(threads);
    program.add(row, (work.*operation.work)(), [=, &pool] {
      const auto site = shared_by_rows<Site<Element>>(tokens, channels);
      const auto ours = our_calls<Element>().*operation.ours;
      const auto native = native_calls<Element>().*operation.ours;
      Calls calls;
      calls.ours = [=, &pool] { ours(site->site, pool); };
      calls.plain = [=, &pool] { ((*site).*operation.plain)(pool); };
      if (both_builds) calls.other = [=, &pool] { native(site->site, pool); };
      calls.verify = [=, &pool] {
        site->clear_gradients();
        ours(site->site, pool);
        ((*site).*operation.plain)(pool);
        operation.verify(row.name(), *site);
      };
      return calls;
    });
  }
}

/// Enough sites that phi is read from memory each time: several last-level caches of it.
template <class Element>
class Decode {
 public:
  Decode(mhc::Index /*one*/, mhc::Index channels)
      : sites(channels), u_(1, channels), saved_(1), size_(count(channels)) {
    for (std::size_t i = 0; i < size_; ++i) {
      sites.parameters.push_back(sites.token.parameters);
      if constexpr (!std::is_same_v<Element, float>) {
        rounded_.push_back(mhc::Storage<mhc::bf16>(of_phi()));
        const float* phi = sites.parameters[i].phi().data();
        std::transform(phi, phi + of_phi(), rounded_[i].data(),
                       [](float value) { return mhc::bf16(value); });
        sites.rounded.emplace_back(sites.parameters[i]);
      }
    }
  }

  std::size_t size() const { return size_; }

  void plain(std::size_t site, const mhc::ThreadPool& pool) {
    pool(1, 1, [&](mhc::Index, mhc::Index, int) {
      const mhc::Parameters<n>& parameters = sites.parameters[site];
      const Element* phi = nullptr;
      if constexpr (std::is_same_v<Element, float>) {
        phi = parameters.phi().data();
      } else {
        phi = rounded_[site].data();
      }
      plain_.decode(plain_parameters(parameters, phi), sites.token.x.data(), 1, u_.data(),
                    saved_.view().data);
    });
  }

  void verify(const std::string& row) const {
    require_close(row, "u", sites.token.u.data(), u_.data(), u_.size(), tolerance<Element>);
    require_close(row, "saved", sites.token.saved.view().data, saved_.view().data, Record::size,
                  tolerance_f32);
  }

  DecodeSites<Element> sites;

 private:
  std::size_t of_phi() const {
    return static_cast<std::size_t>(sites.token.parameters.phi().size());
  }
  static std::size_t count(mhc::Index channels) {
    const mhc::Index bytes =
        n * channels * plain_eigen::projections * static_cast<mhc::Index>(sizeof(Element));
    return static_cast<std::size_t>(4 * last_level_cache() / bytes + 1);
  }

  plain_eigen::SiteCalls<Element> plain_ = plain_calls<Element>();
  std::vector<mhc::Storage<mhc::bf16>> rounded_;
  mhc::Tokens<Element> u_;
  mhc::Saved<n> saved_;
  std::size_t size_;
};

template <class Element>
void add_decode(Program& program, mhc::Index channels, int threads) {
  const Row row{"decode", n, channels, 1, dtype<Element>(), threads, iterations};
  const SiteWork work{n, iterations,      static_cast<double>(channels),
                      1, sizeof(Element), sizeof(Element)};
  const mhc::ThreadPool& pool = program.pool(threads);
  program.add(row, work.decode(), [=, &pool] {
    const auto decode = shared_by_rows<Decode<Element>>(1, channels);
    const auto ours = our_calls<Element>().decode;
    const auto site = std::make_shared<std::size_t>(0);
    Calls calls;
    calls.ours = [=, &pool] {
      ours(decode->sites, *site, pool);
      *site = (*site + 1) % decode->size();
    };
    calls.plain = [=, &pool] {
      decode->plain(*site, pool);
      *site = (*site + 1) % decode->size();
    };
    calls.verify = [=, &pool] {
      for (const std::size_t i : {std::size_t{0}, decode->size() - 1}) {
        ours(decode->sites, i, pool);
        decode->plain(i, pool);
        decode->verify(row.name());
      }
    };
    return calls;
  });
}

template <class Element>
void add_rows(Program& program) {
  const bool quick = program.quick();
  using Sizes = std::vector<mhc::Index>;
  const Sizes all_channels = quick ? Sizes{4096} : Sizes{1280, 4096, 7168};
  const Sizes all_tokens = quick ? Sizes{1, 1024} : Sizes{1, 16, 128, 1024};
  for (const mhc::Index channels : all_channels) {
    for (const mhc::Index tokens : all_tokens) {
      for (int threads = 1; threads <= program.most_threads(); ++threads) {
        add_site<Element>(program, channels, tokens, threads);
      }
    }
    for (int threads = 1; threads <= program.most_threads(); ++threads) {
      add_decode<Element>(program, channels, threads);
    }
  }
}

}  // namespace
}  // namespace mhc_bench

int main(int argc, char** argv) {
  mhc_bench::Program program(argc, argv);
  mhc_bench::add_rows<float>(program);
  mhc_bench::add_rows<mhc::bf16>(program);
  return program.run();
}
