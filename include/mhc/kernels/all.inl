// SPDX-License-Identifier: MIT
// Everything that is compiled once per instruction set, in floor order.
#include <mhc/kernels/mappings.inl>
#include <mhc/kernels/pack.inl>
#include <mhc/kernels/projection.inl>
#include <mhc/kernels/sinkhorn_knopp.inl>
#include <mhc/kernels/site.inl>
#include <mhc/kernels/streams.inl>
