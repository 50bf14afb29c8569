// SPDX-License-Identifier: MIT
#include "run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

#include "command_line.hpp"
#include "evaluation.hpp"
#include "interruption.hpp"
#include "outcome.hpp"
#include "page.hpp"
#include "progress.hpp"
#include "run_tables.hpp"
#include "sampler.hpp"
#include "text.hpp"
#include "trainer.hpp"

namespace language_model {

namespace {

// The base name of the run's files in the report folder.
std::string report_name(const Options& options) {
  return std::string("language_model_") + name_of(options.model.residual);
}

// Saves, or prints why it failed; then the old file is kept.
bool try_to_save(Trainer& trainer, const std::filesystem::path& path) {
  try {
    trainer.save(path);
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "language_model: %s%s\n", error.what(),
                 std::filesystem::exists(path) ? "; the previous checkpoint is untouched" : "");
    return false;
  }
}

// Fails before the training, not at its end, if the checkpoint cannot be written.
void prepare_checkpoint(const Options& options, Trainer& trainer) {
  if (options.checkpoint.empty()) return;
  if (options.resume) {
    trainer.resume(options.checkpoint);
  } else if (std::filesystem::exists(options.checkpoint)) {
    throw UsageError("--checkpoint: '" + options.checkpoint.string() +
                     "' exists: add --resume to resume from it, or remove it");
  }
  trainer.save(options.checkpoint);
}

struct Training {
  StepResult last{};        // if there were steps
  std::uint64_t steps = 0;  // since the run began or was resumed
  double seconds = 0;
  double bytes_per_second = 0;
  int interrupted_by = 0;  // a signal, or 0
  bool saved = true;
};

// Evaluates the model during training on a sample of the validation text, about 8 batches. It does
// not affect the training.
void look(const Options& options, const Text& text, Trainer& trainer, const Workers& workers,
          RunTable& table) {
  const Index batch = options.training.batch;
  const Index context = options.model.context;
  const Index sample = 8 * (context + (batch - 1) * (context / 2) + 1);
  const double validation = sampled_bits_per_byte(
      trainer.model(), text.validation, static_cast<std::size_t>(sample), batch, context, workers);
  const mhc::Gains gain = trainer.model().composite_gain();
  table.add({static_cast<double>(trainer.steps_done()), validation, gain.forward, gain.backward});
}

Training train(const Options& options, const Text& text, Trainer& trainer, const Workers& workers,
               RunTables& tables, const std::function<void(std::uint64_t)>& after_step) {
  Training training;
  Progress progress(trainer.steps_done(), trainer.steps(), trainer.bytes_per_step(), options.quiet);
  if (!options.checkpoint.empty()) watch_for_interruption();
  const auto is_due = [&](std::ptrdiff_t every) {
    return every > 0 && training.last.step % static_cast<std::uint64_t>(every) == 0;
  };
  while (!trainer.finished() && !training.interrupted_by) {
    training.last = trainer.step();
    ++training.steps;
    const StepResult& last = training.last;
    training.bytes_per_second = progress.bytes_per_second(last.step);
    tables.steps.add({static_cast<double>(last.step), last.loss, bits(last.loss),
                      trainer.model().has_prediction_module() ? last.further_loss : std::nan(""),
                      last.gradient_norm, last.learning_rate, training.bytes_per_second});
    if (is_due(options.evaluate_every)) look(options, text, trainer, workers, *tables.evaluations);
    progress.show(last.step, bits(last.loss));
    if (is_due(options.save_every) && !trainer.finished()) {
      progress.end();
      try_to_save(trainer, options.checkpoint);
    }
    if (after_step) after_step(last.step);
    training.interrupted_by = interruption();
  }
  progress.end();
  training.seconds = progress.seconds();
  if (!options.checkpoint.empty()) training.saved = try_to_save(trainer, options.checkpoint);
  tables.steps.close();
  if (tables.evaluations) tables.evaluations->close();
  std::printf("curve      %s\n", tables.steps.path().c_str());
  return training;
}

Outcome conclude(const Options& options, const Text& text, const Training& training,
                 Trainer& trainer, const Workers& workers) {
  LanguageModel& model = trainer.model();
  const Index batch = options.training.batch;
  const Index context = options.model.context;
  Bytes whole = text.train;
  whole.insert(whole.end(), text.validation.begin(), text.validation.end());

  Outcome outcome;
  outcome.train =
      sampled_bits_per_byte(model, text.train, text.validation.size() / 4, batch, context, workers);
  outcome.validation = evaluate(model, text.validation, batch, context, workers);
  outcome.gzip_whole = gzip_bits_per_byte(whole);
  outcome.gzip_validation = gzip_bits_per_byte(text.validation);
  model.forward(text.validation.data(), text.validation.data() + 1, 1, context, workers);
  outcome.gain = model.composite_gain();
  outcome.has_prediction_module = model.has_prediction_module();
  outcome.steps = trainer.steps();
  outcome.bytes =
      static_cast<double>(trainer.steps()) * static_cast<double>(trainer.bytes_per_step());
  outcome.steps_now = training.steps;
  outcome.seconds = training.seconds;
  outcome.bytes_per_second = training.bytes_per_second;
  outcome.gradient_norm = training.last.gradient_norm;
  outcome.largest_gradient_norm = trainer.largest_gradient_norm();
  outcome.parameters = model.arena().values.size();
  return outcome;
}

void introduce(const Options& options, const Text& text, Trainer& trainer) {
  const ModelConfig& m = options.model;
  std::printf("text       %s, %.2f MB\n", text.source.c_str(),
              static_cast<double>(text.size()) / 1e6);
  std::printf("held out   %s, %.2f MB\n", text.split.c_str(),
              static_cast<double>(text.validation.size()) / 1e6);
  std::printf("model      %s, %td stream%s, %td layers, %td channels, %zu parameters\n",
              name_of(m.residual), m.streams, m.streams == 1 ? "" : "s", m.layers, m.channels,
              trainer.model().arena().values.size());
  std::printf("training   %td steps of %td sequences of %td bytes, %d thread%s\n",
              options.training.steps, options.training.batch, m.context, options.threads,
              options.threads == 1 ? "" : "s");
}

}  // namespace

int run(const Options& options, const std::function<void(std::uint64_t)>& after_step) {
  const Text text = read_text(options.text.empty() ? cmake_manual() : options.text);
  check_length(text, options.model.context);
  const Workers workers(options.threads);
  Trainer trainer(options.model, options.training, text, workers);
  prepare_checkpoint(options, trainer);
  if (!options.quiet) introduce(options, text, trainer);

  RunTables tables(options.report, report_name(options), options.evaluate_every > 0,
                   trainer.steps_done());
  const Training training = train(options, text, trainer, workers, tables, after_step);
  if (training.interrupted_by) {
    if (training.saved) {
      std::printf(
          "interrupted after step %llu of %llu: '%s' holds the run, --resume continues it\n",
          static_cast<unsigned long long>(trainer.steps_done()),
          static_cast<unsigned long long>(trainer.steps()), options.checkpoint.c_str());
    }
    return 128 + training.interrupted_by;
  }
  const Outcome outcome = conclude(options, text, training, trainer, workers);
  print_outcome(outcome);
  std::string drawn;
  if (options.sample > 0) {
    drawn = sample(trainer.model(), options.prompt, options.sample, options.temperature,
                   options.model.context, options.training.seed, workers);
    std::printf("\n--- %td bytes after '%s' ---\n%s\n\n", options.sample,
                printable(options.prompt).c_str(), printable(drawn).c_str());
  }
  const auto page = write_page(
      options.report, trainer.model(),
      {report_name(options), trainer.settings(), text, tables, outcome, options.prompt, drawn});
  std::printf("page       %s\n", page.c_str());
  return training.saved ? 0 : 1;
}

}  // namespace language_model
