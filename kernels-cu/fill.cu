// options: --fmad=false
// Filling: a constant, and random numbers with the CPU's bits; see crates/kernels/src/fill.rs and philox.rs.
//
// Compiled without contraction: only the fused multiply-adds that are written are fused, as on the CPU.
#include "philox.cuh"

// ln((a + 1/2) / 2^32); philox.rs derives it.
__device__ __forceinline__ float ln_fraction(u32 a) {
    const u64 x = (static_cast<u64>(a) << 1) | 1;
    const int top = 63 - __clzll(static_cast<long long>(x));
    const u32 mantissa = static_cast<u32>(top >= 23 ? x >> (top - 23) : x << (23 - top)) & 0x007FFFFFu;
    float m = __uint_as_float(0x3F800000u | mantissa);
    int e = top - 33;
    if (m > 1.41421356237309504880f) {
        m *= 0.5f;
        e += 1;
    }
    const float s = __fdiv_rn(m - 1.0f, m + 1.0f);
    const float s2 = s * s;
    const float series = fmaf(s2, fmaf(s2, fmaf(s2, 1.0f / 9.0f, 1.0f / 7.0f), 1.0f / 5.0f), 1.0f / 3.0f);
    const float ln_m = fmaf(2.0f * s, s2 * series, 2.0f * s);
    return fmaf(static_cast<float>(e), 0.693147180559945309417f, ln_m);
}

// x = sin and y = cos of word / 2^32 turns.
__device__ __forceinline__ float2 sin_cos_turn(u32 word) {
    const u32 quarter = (word + (1u << 29)) >> 30;
    const int rest = static_cast<int>(word - (quarter << 30));
    const float x = static_cast<float>(rest) * (6.28318530717958647692f / 4294967296.0f);
    const float x2 = x * x;
    const float sin = fmaf(x2, fmaf(x2, fmaf(x2, -1.0f / 5040.0f, 1.0f / 120.0f), -1.0f / 6.0f), 1.0f) * x;
    const float cos =
        fmaf(x2, fmaf(x2, fmaf(x2, fmaf(x2, 1.0f / 40320.0f, -1.0f / 720.0f), 1.0f / 24.0f), -0.5f), 1.0f);
    switch (quarter) {
        case 0: return make_float2(sin, cos);
        case 1: return make_float2(cos, -sin);
        case 2: return make_float2(-sin, -cos);
        default: return make_float2(-cos, sin);
    }
}

// Two independent standard normals (Box and Muller 1958).
__device__ __forceinline__ float2 box_muller(u32 a, u32 b) {
    const float radius = __fsqrt_rn(-2.0f * ln_fraction(a));
    const float2 turn = sin_cos_turn(b);
    return make_float2(radius * turn.y, radius * turn.x);
}

// The words of this thread's four elements: a block each, from the next block boundary on.
__device__ __forceinline__ uint4 words_of(const Philox* philox, u64 i) {
    return philox_block(*philox, (philox->position + 3) / 4 + i / 4);
}

// out = the 4-byte element whose bits these are.
extern "C" __global__ void fill_constant(float* out, u64 n, float value) {
    const u64 i = first_of_four();
    if (i < n) {
        store4(out, i, n, make_float4(value, value, value, value), 0);
    }
}

// out uniform in [low, high).
extern "C" __global__ void fill_uniform(const Philox* philox, float low, float high, float* out, u64 n) {
    const u64 i = first_of_four();
    if (i < n) {
        const uint4 words = words_of(philox, i);
        const float range = high - low;
        store4(out, i, n,
               make_float4(low + range * to_unit(words.x), low + range * to_unit(words.y),
                           low + range * to_unit(words.z), low + range * to_unit(words.w)),
               0);
    }
}

// out = mean + std z, z standard normal.
extern "C" __global__ void fill_normal(const Philox* philox, float mean, float std, float* out, u64 n) {
    const u64 i = first_of_four();
    if (i < n) {
        const uint4 words = words_of(philox, i);
        const float2 a = box_muller(words.x, words.y), b = box_muller(words.z, words.w);
        store4(out, i, n, make_float4(mean + std * a.x, mean + std * a.y, mean + std * b.x, mean + std * b.y), 0);
    }
}

// Moves the stream past what a fill of n elements took.
extern "C" __global__ void fill_advance(Philox* philox, u64 n) {
    philox->position = ((philox->position + 3) / 4 + (n + 3) / 4) * 4;
}
