// SPDX-License-Identifier: MIT
// Includes MHC_KERNELS, the kernels written once over packs, for each instruction set, each in a
// namespace and a region of its own, so that a user's plain -O2 reaches the machine's units. To add
// one: a region here, a line in MHC_DISPATCH and its name in instruction_set.hpp.

// The baseline of the translation unit. If it is the only set, its vectors are as wide as the
// unit's flags allow; next to other sets it is for the processors that have none of them.
namespace generic {
#if defined(MHC_GENERIC_ONLY) && defined(__AVX512F__) && defined(__AVX512BW__) && \
    defined(__AVX512DQ__) && defined(__AVX512VL__) && defined(__F16C__)
#define MHC_LANE_BYTES 64
#define MHC_REGISTERS 32
#define MHC_HAS_F16C 1
#elif defined(MHC_GENERIC_ONLY) && defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define MHC_LANE_BYTES 32
#define MHC_REGISTERS 16
#define MHC_HAS_F16C 1
#elif defined(__aarch64__)
#define MHC_LANE_BYTES 16
#define MHC_REGISTERS 32
#else
#define MHC_LANE_BYTES 16
#define MHC_REGISTERS 16
#endif
#include MHC_KERNELS
#undef MHC_LANE_BYTES
#undef MHC_REGISTERS
}  // namespace generic

#if defined(MHC_HAS_AVX2)
MHC_TARGET_BEGIN("avx2,fma,f16c")
namespace avx2 {
#define MHC_LANE_BYTES 32
#define MHC_REGISTERS 16
#define MHC_HAS_F16C 1
#include MHC_KERNELS
#undef MHC_LANE_BYTES
#undef MHC_REGISTERS
}  // namespace avx2
MHC_TARGET_END
#endif

#if defined(MHC_HAS_AVX512)
MHC_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")
namespace avx512 {
#define MHC_LANE_BYTES 64
#define MHC_REGISTERS 32
#include MHC_KERNELS
#undef MHC_LANE_BYTES
#undef MHC_REGISTERS
}  // namespace avx512
MHC_TARGET_END
// The kernels of avx512 once more, with what kernels.hpp adds to them.
namespace avx512_bf16 {
using namespace avx512;
}
#endif
#undef MHC_HAS_F16C
#undef MHC_KERNELS
