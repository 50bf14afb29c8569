// SPDX-License-Identifier: MIT
// The page of a run: settings, results and curves.
//
//   language_model_RESIDUAL.html            all of it
//   language_model_RESIDUAL_learning.svg    loss and gradient norm over the steps
//   language_model_RESIDUAL_depth.svg       gains and similarity of the streams over the sites
//   language_model_RESIDUAL_gates.svg       H_pre and H_post of three sites
//   language_model_RESIDUAL_mappings.svg    H_res of each site, and of all of them
//   language_model_RESIDUAL_experts.svg     which experts had how much to do
//
// The figures of sites need more than one stream.
#pragma once

#include <filesystem>
#include <string>

#include "config.hpp"
#include "language_model.hpp"
#include "outcome.hpp"
#include "run_tables.hpp"
#include "text.hpp"

namespace language_model {

struct PageContent {
  std::string name;  // of the files
  Settings settings;
  const Text& text;
  const RunTables& tables;
  const Outcome& outcome;
  std::string prompt, sample;  // or empty
};

// Shows the sites of the model's last forward. Returns the page's path.
std::filesystem::path write_page(const std::filesystem::path& folder, const LanguageModel& model,
                                 const PageContent& content);

}  // namespace language_model
