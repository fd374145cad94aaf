// What every kernel shares: how one is declared, how shared memory is, four elements at a time, and block-wide sums.
//
// The same sources compile for the GPU (NVRTC, ahead of time) and for the CPU stand-in of host/ (g++, tests only).
// Shared memory is declared by SHARED and DYNAMIC_SHARED, because the stand-in has to know of it to poison it.
#pragma once

#ifdef __CUDACC__
// SHARED(float, tile, [32][33]); is __shared__ float tile[32][33];
#define SHARED(type, name, ...) __shared__ type name __VA_ARGS__
// DYNAMIC_SHARED(float, tile); is a float* to the memory that the launch asked for, 16-byte aligned.
#define DYNAMIC_SHARED(type, name)                                 \
    extern __shared__ __align__(16) unsigned char dynamic_shared[]; \
    type* const name = reinterpret_cast<type*>(dynamic_shared)
#define INFINITY __int_as_float(0x7F800000)
#define NAN __int_as_float(0x7FFFFFFF)
// Before a loop: unroll it wholly, or so many times. It is the GPU compiler's business only.
#define UNROLL _Pragma("unroll")
#define UNROLL_BY(n) UNROLL_TEXT(unroll n)
#define UNROLL_TEXT(text) _Pragma(#text)
#else
#define UNROLL
#define UNROLL_BY(n)
#include "host/cuda_host.h"
#endif

typedef unsigned int u32;
typedef unsigned long long u64;

// Threads of a block of the elementwise kernels, each of which takes four neighbouring elements.
#define BLOCK 256

// Stores as Store::Set (accumulate == 0: what is there is never read) or Store::Add does.
__device__ __forceinline__ void store(float* out, float value, int accumulate) {
    *out = accumulate ? *out + value : value;
}

__device__ __forceinline__ bool aligned16(const void* p) {
    return (reinterpret_cast<u64>(p) & 15) == 0;
}

// The index of the first of this thread's four elements.
__device__ __forceinline__ u64 first_of_four() {
    return (static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x) * 4;
}

// Elements i .. i + 4 of n: one 16-byte load where the address allows it; past the end, `rest`.
__device__ __forceinline__ float4 load4(const float* p, u64 i, u64 n, float rest = 0.0f) {
    if (i + 4 <= n && aligned16(p)) {
        return *reinterpret_cast<const float4*>(p + i);
    }
    return make_float4(i < n ? p[i] : rest, i + 1 < n ? p[i + 1] : rest, i + 2 < n ? p[i + 2] : rest,
                       i + 3 < n ? p[i + 3] : rest);
}

// Writes elements i .. i + 4 of n, those past the end not.
__device__ __forceinline__ void store4(float* p, u64 i, u64 n, float4 v, int accumulate) {
    if (i + 4 <= n && aligned16(p)) {
        float4* out = reinterpret_cast<float4*>(p + i);
        if (accumulate) {
            const float4 old = *out;
            v = make_float4(old.x + v.x, old.y + v.y, old.z + v.z, old.w + v.w);
        }
        *out = v;
        return;
    }
    const float values[4] = {v.x, v.y, v.z, v.w};
    for (int k = 0; k < 4; k++) {
        if (i + k < n) {
            store(p + i + k, values[k], accumulate);
        }
    }
}

// y_i = f(x_i) for this thread's four elements.
template <class F>
__device__ __forceinline__ void map1(const float* x, float* y, u64 n, int accumulate, F f) {
    const u64 i = first_of_four();
    if (i < n) {
        const float4 a = load4(x, i, n);
        store4(y, i, n, make_float4(f(a.x), f(a.y), f(a.z), f(a.w)), accumulate);
    }
}

// z_i = f(x_i, y_i) for this thread's four elements.
template <class F>
__device__ __forceinline__ void map2(const float* x, const float* y, float* z, u64 n, int accumulate, F f) {
    const u64 i = first_of_four();
    if (i < n) {
        const float4 a = load4(x, i, n), b = load4(y, i, n);
        store4(z, i, n, make_float4(f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w)), accumulate);
    }
}

// The sum over the 32 lanes of a warp, in a fixed order, in every lane.
template <class T>
__device__ __forceinline__ T warp_sum(T value) {
    for (int offset = 16; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xFFFFFFFFu, value, offset);
    }
    return value;
}

// The largest over the lanes of a warp, in every lane; NaN where one is.
__device__ __forceinline__ float larger(float a, float b) {
    return b > a || b != b ? b : a;
}
__device__ __forceinline__ float warp_max(float value) {
    for (int offset = 16; offset > 0; offset /= 2) {
        value = larger(value, __shfl_xor_sync(0xFFFFFFFFu, value, offset));
    }
    return value;
}

// The sum over a block of THREADS (a multiple of 32, at most 1,024) in a fixed order; thread 0 has it.
// `scratch` is shared memory of 32 elements that nobody else uses before the next barrier.
template <int THREADS, class T>
__device__ __forceinline__ T block_sum(T value, T* scratch) {
    static_assert(THREADS % 32 == 0 && THREADS <= 1024, "whole warps");
    value = warp_sum(value);
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = value;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        value = warp_sum(threadIdx.x < THREADS / 32 ? scratch[threadIdx.x] : T(0));
    }
    return value;
}
