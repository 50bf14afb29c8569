# SPDX-License-Identifier: MIT
# The headers, floor by floor. A header includes lower floors only, or what is listed above it on
# the two lowest; what stands beside the floors may use them all and is used by none.
# tests/repository/headers.cmake holds the tree to this list.
set(MHC_FLOOR_0
    mhc/version.hpp
    mhc/check.hpp
    mhc/element.hpp
    mhc/view.hpp
    mhc/storage.hpp
    mhc/executor.hpp)
set(MHC_FLOOR_1
    mhc/connection.hpp
    mhc/parameters.hpp
    mhc/saved.hpp
    mhc/kernels/pack.inl
    mhc/kernels/sinkhorn_knopp.inl
    mhc/kernels/mappings.inl
    mhc/kernels/projection.inl
    mhc/kernels/streams.inl
    mhc/kernels/site.inl
    mhc/kernels/all.inl
    mhc/kernels/kernels.hpp)
set(MHC_FLOOR_2)
set(MHC_FLOOR_3)
set(MHC_FLOOR_4)
set(MHC_BESIDE)
set(MHC_UMBRELLA mhc/mhc.hpp)

set(MHC_HEADERS ${MHC_FLOOR_0} ${MHC_FLOOR_1} ${MHC_FLOOR_2} ${MHC_FLOOR_3} ${MHC_FLOOR_4}
                ${MHC_BESIDE} ${MHC_UMBRELLA})
