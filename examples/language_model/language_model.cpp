// SPDX-License-Identifier: MIT
#include "language_model.hpp"

#include <mhc/diagnostics/composite.hpp>

namespace language_model {

mhc::Gains LanguageModel::composite_gain() const {
  const SiteView first = site(0);
  mhc::CompositeMapping composite(first.x.tokens, first.x.streams);
  for (Index i = 0; i < sites(); ++i) {
    composite.apply(site(i).res);
  }
  return composite.gains();
}

}  // namespace language_model
