# SPDX-License-Identifier: MIT
# The headers, floor by floor. A header includes only lower floors and, on floors 0 to 4 and 6,
# headers listed above it. Headers beside the floors may include all floors and what is listed above
# them beside the floors; no floor includes them. tests/repository/headers.cmake checks the tree
# against this list.
set(MHC_FLOOR_0 # basic types
    mhc/version.hpp
    mhc/host_device.hpp
    mhc/check.hpp
    mhc/instruction_set.hpp
    mhc/element.hpp
    mhc/view.hpp
    mhc/storage.hpp
    mhc/executor.hpp
    mhc/arguments.hpp
    mhc/reference.hpp)
set(MHC_FLOOR_1 # what a site is
    mhc/residual_mapping.hpp
    mhc/connection.hpp
    mhc/check_options.hpp
    mhc/parameters.hpp
    mhc/rounded_phi.hpp
    mhc/saved.hpp
    mhc/gated_parameters.hpp)
set(MHC_FLOOR_2 # the arithmetic
    mhc/kernels/target.hpp
    mhc/kernels/parts.hpp
    mhc/kernels/site.hpp
    mhc/kernels/pack.inl
    mhc/kernels/memory.inl
    mhc/kernels/transpose.inl
    mhc/kernels/exp.inl
    mhc/kernels/implicit.inl
    mhc/kernels/sinkhorn_domains.inl
    mhc/kernels/sinkhorn_knopp.inl
    mhc/kernels/residuals.inl
    mhc/kernels/mappings.inl
    mhc/kernels/projection.inl
    mhc/kernels/projection_backward.inl
    mhc/kernels/projection_dot.inl
    mhc/kernels/streams.inl
    mhc/kernels/site.inl
    mhc/kernels/site_backward.inl
    mhc/kernels/all.inl
    mhc/kernels/each_instruction_set.inl
    mhc/kernels/kernels.hpp
    mhc/kernels/entry.inl
    mhc/kernels/instances.inl
    mhc/kernels/entry.hpp
    mhc/kernels/gated_products.inl
    mhc/kernels/gated.inl
    mhc/kernels/gated_entry.hpp)
set(MHC_FLOOR_3 # operations
    mhc/sinkhorn_knopp.hpp
    mhc/birkhoff_projection.hpp
    mhc/projection.hpp
    mhc/gates.hpp
    mhc/aggregate.hpp
    mhc/merge.hpp
    mhc/uniform_streams.hpp
    mhc/expand.hpp
    mhc/collapse.hpp)
set(MHC_FLOOR_4 # x -> pre, post, res, and where their parameters come from
    mhc/residuals.hpp
    mhc/mappings.hpp
    mhc/initialization.hpp
    mhc/stored_layout.hpp
    mhc/norm_weight.hpp
    mhc/families.hpp)
set(MHC_FLOOR_5 # the mappings of all tokens
    mhc/site.hpp
    mhc/gated_reading.hpp)
set(MHC_FLOOR_6 # the four calls, the final collapse
    mhc/block.hpp
    mhc/owned_block.hpp
    mhc/head.hpp
    mhc/gated_residual.hpp
    mhc/with_streams.hpp)
set(MHC_BESIDE # optional
    mhc/files/utf8.hpp
    mhc/files/atomic_file.hpp
    mhc/diagnostics/finite.hpp
    mhc/diagnostics/histogram.hpp
    mhc/diagnostics/gains.hpp
    mhc/diagnostics/marginals.hpp
    mhc/diagnostics/composite.hpp
    mhc/diagnostics/similarity.hpp
    mhc/diagnostics/recorder.hpp
    mhc/diagnostics.hpp
    mhc/checkpoint/errors.hpp
    mhc/checkpoint/bytes.hpp
    mhc/checkpoint/dtype.hpp
    mhc/checkpoint/tensor.hpp
    mhc/checkpoint/metadata.hpp
    mhc/checkpoint/contents.hpp
    mhc/checkpoint/mapped_file.hpp
    mhc/checkpoint/json.hpp
    mhc/checkpoint/safetensors.hpp
    mhc/checkpoint/sharded.hpp
    mhc/checkpoint/gguf_reader.hpp
    mhc/checkpoint/gguf.hpp
    mhc/checkpoint/safetensors_writer.hpp
    mhc/checkpoint/file.hpp
    mhc/checkpoint/names.hpp
    mhc/checkpoint/sites.hpp
    mhc/checkpoint/family.hpp
    mhc/checkpoint/evidence.hpp
    mhc/checkpoint/recognize.hpp
    mhc/checkpoint/load.hpp
    mhc/checkpoint/load_gated.hpp
    mhc/checkpoint/model.hpp
    mhc/checkpoint/model_writer.hpp
    mhc/adapters/ranges.hpp
    mhc/adapters/thread_pool.hpp
    mhc/adapters/eigen_thread_pool.hpp
    mhc/adapters/tensor.hpp
    mhc/adapters/eigen_tensor.hpp)
set(MHC_ADAPTERS # also beside the floors; most need other libraries, so none is compiled by default
    mhc/adapters/openmp.hpp
    mhc/adapters/one_tbb.hpp
    mhc/adapters/dlpack.hpp
    mhc/adapters/ggml_tensor.hpp
    mhc/adapters/ggml.hpp
    mhc/adapters/torch_tensor.hpp
    mhc/adapters/torch_streams.hpp
    mhc/adapters/torch_functions.hpp
    mhc/adapters/torch.hpp
    mhc/c/mhc_c.h
    mhc/c/call.hpp
    mhc/c/choices.hpp
    mhc/c/block.hpp
    mhc/c/mhc_c.cpp)
set(MHC_CUDA # for files that nvcc compiles; each may include what is listed above it, and all floors
    mhc/cuda/error.hpp
    mhc/cuda/launch.hpp
    mhc/cuda/workspace.hpp
    mhc/cuda/element.hpp
    mhc/cuda/kernels/lane.hpp
    mhc/cuda/kernels/streams.hpp
    mhc/cuda/kernels/project.hpp
    mhc/cuda/kernels/map.hpp
    mhc/cuda/kernels/tiles.hpp
    mhc/cuda/kernels/combine.hpp
    mhc/cuda/kernels/uniform.hpp
    mhc/cuda/uniform.hpp
    mhc/cuda/expand.hpp
    mhc/cuda/collapse.hpp
    mhc/cuda/kernels/sinkhorn_knopp.hpp
    mhc/cuda/sinkhorn_knopp.hpp
    mhc/cuda/block.hpp
    mhc/cuda/head.hpp
    mhc/cuda/aggregate.hpp
    mhc/cuda.hpp
    mhc/cuda/compiled.hpp
    mhc/cuda/compiled/definitions.hpp)
set(MHC_COMPILED # the sources of mhc::compiled: a file for each number of streams and arithmetic
    mhc/compiled/streams_any.cpp
    mhc/compiled/streams_2.cpp
    mhc/compiled/streams_2_double.cpp
    mhc/compiled/streams_4.cpp
    mhc/compiled/streams_4_double.cpp
    mhc/compiled/streams_8.cpp
    mhc/compiled/streams_8_double.cpp)
set(MHC_CUDA_COMPILED # the sources of mhc::cuda_compiled, which nvcc compiles
    mhc/cuda/compiled/streams_any.cu
    mhc/cuda/compiled/streams_2.cu
    mhc/cuda/compiled/streams_4.cu
    mhc/cuda/compiled/streams_8.cu)
set(MHC_UMBRELLA mhc/mhc.hpp)

set(MHC_HEADERS)
foreach(floor IN ITEMS FLOOR_0 FLOOR_1 FLOOR_2 FLOOR_3 FLOOR_4 FLOOR_5 FLOOR_6 BESIDE ADAPTERS CUDA
                       CUDA_COMPILED COMPILED UMBRELLA)
  list(APPEND MHC_HEADERS ${MHC_${floor}})
endforeach()
