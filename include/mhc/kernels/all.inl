// SPDX-License-Identifier: MIT
// Everything that is compiled once per instruction set; each part uses those above it.
// clang-format off
#include <mhc/kernels/pack.inl>
#include <mhc/kernels/memory.inl>
#include <mhc/kernels/transpose.inl>
#include <mhc/kernels/exp.inl>
#include <mhc/kernels/implicit.inl>
#include <mhc/kernels/sinkhorn_domains.inl>
#include <mhc/kernels/sinkhorn_knopp.inl>
#include <mhc/kernels/residuals.inl>
#include <mhc/kernels/mappings.inl>
#include <mhc/kernels/projection.inl>
#include <mhc/kernels/projection_backward.inl>
#include <mhc/kernels/streams.inl>
#include <mhc/kernels/site.inl>
#include <mhc/kernels/site_backward.inl>
// clang-format on
