// SPDX-License-Identifier: MIT
// A run of the program: read, train, evaluate, write.
#pragma once

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "command_line.hpp"
#include "evaluation.hpp"
#include "interruption.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "sampler.hpp"
#include "text.hpp"
#include "trainer.hpp"

namespace language_model {

// Saves or says why not; the file's old content survives a failure.
inline bool try_to_save(Trainer& trainer, const std::filesystem::path& path) {
  try {
    trainer.save(path);
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "language_model: %s%s\n", error.what(),
                 std::filesystem::exists(path) ? "; the checkpoint before it is untouched" : "");
    return false;
  }
}

// A run must not end with the news that its checkpoint has no place.
inline void prepare_checkpoint(const Options& options, Trainer& trainer) {
  if (options.checkpoint.empty()) return;
  if (options.resume) {
    trainer.resume(options.checkpoint);
  } else if (std::filesystem::exists(options.checkpoint)) {
    throw UsageError("--checkpoint: '" + options.checkpoint.string() +
                     "' exists: add --resume to go on from it, or remove it");
  }
  trainer.save(options.checkpoint);
}

struct Training {
  StepResult last{};  // step 0: none was left to do
  double seconds = 0;
  double bytes_per_second = 0;
  double load_imbalance = 1;  // of the experts, in the last step
  int interrupted_by = 0;     // a signal, or 0
  bool saved = true;
};

inline Training train(const Options& options, Trainer& trainer) {
  Training training;
  StepTable table(options.report, name_of(options.model.residual), trainer.steps_done());
  Progress progress(trainer.steps_done(), trainer.steps(), trainer.bytes_per_step(), options.quiet);
  if (!options.checkpoint.empty()) watch_for_interruption();
  const auto save_every = static_cast<std::uint64_t>(options.save_every);
  while (!trainer.finished() && !training.interrupted_by) {
    training.last = trainer.step();
    training.bytes_per_second = progress.bytes_per_second(training.last.step);
    table.add(training.last, training.bytes_per_second);
    progress.show(training.last.step, bits(training.last.loss));
    if (save_every > 0 && training.last.step % save_every == 0 && !trainer.finished()) {
      progress.end();
      try_to_save(trainer, options.checkpoint);
    }
    training.interrupted_by = interruption();
  }
  progress.end();
  training.seconds = progress.seconds();
  if (training.last.step > 0) training.load_imbalance = trainer.model().load_imbalance();
  if (!options.checkpoint.empty()) training.saved = try_to_save(trainer, options.checkpoint);
  table.close();
  std::printf("curve      %s\n", table.path().c_str());
  return training;
}

inline Outcome evaluate(const Options& options, const Text& text, const Training& training,
                        Trainer& trainer, const Workers& workers) {
  LanguageModel& model = trainer.model();
  const index batch = options.training.batch;
  const index context = options.model.context;
  Bytes whole = text.train;
  whole.insert(whole.end(), text.validation.begin(), text.validation.end());

  Outcome outcome;
  outcome.train =
      sampled_bits_per_byte(model, text.train, text.validation.size() / 4, batch, context, workers);
  outcome.validation = bits_per_byte(model, text.validation, batch, context, workers);
  outcome.gzip_whole = gzip_bits_per_byte(whole);
  outcome.gzip_validation = gzip_bits_per_byte(text.validation);
  model.forward(text.validation.data(), text.validation.data() + 1, 1, context, workers);
  outcome.gain = model.composite_gain();
  outcome.steps = trainer.steps();
  outcome.bytes =
      static_cast<double>(trainer.steps()) * static_cast<double>(trainer.bytes_per_step());
  outcome.seconds = training.seconds;
  outcome.bytes_per_second = training.bytes_per_second;
  outcome.gradient_norm = training.last.gradient_norm;
  outcome.largest_gradient_norm = trainer.largest_gradient_norm();
  outcome.load_imbalance = training.load_imbalance;
  outcome.parameters = model.arena().values.size();
  return outcome;
}

inline void introduce(const Options& options, const Text& text, Trainer& trainer) {
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

inline int run(const Options& options) {
  const Text text = read_text(options.text.empty() ? cmake_manual() : options.text);
  check_length(text, options.model.context);
  const Workers workers(options.threads);
  Trainer trainer(options.model, options.training, text, workers);
  prepare_checkpoint(options, trainer);
  if (!options.quiet) introduce(options, text, trainer);

  const Training training = train(options, trainer);
  if (training.interrupted_by) {
    if (training.saved) {
      std::printf("interrupted after step %llu of %llu: '%s' holds the run, --resume goes on\n",
                  static_cast<unsigned long long>(trainer.steps_done()),
                  static_cast<unsigned long long>(trainer.steps()), options.checkpoint.c_str());
    }
    return 128 + training.interrupted_by;
  }
  print_outcome(evaluate(options, text, training, trainer, workers));
  if (options.sample > 0) {
    const std::string drawn =
        sample(trainer.model(), options.prompt, options.sample, options.temperature,
               options.model.context, options.training.seed, workers);
    std::printf("\n--- %td bytes after '%s' ---\n%s\n", options.sample,
                printable(options.prompt).c_str(), printable(drawn).c_str());
  }
  return training.saved ? 0 : 1;
}

}  // namespace language_model
