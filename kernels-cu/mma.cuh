// Tensor-core instructions and asynchronous copies, one wrapper each (PTX ISA 8.4, sections 9.7.13 and 9.7.8.22).
//
// A warp computes c += a b together; which elements a lane holds is the ISA's: with g = lane / 4 and t = lane % 4
//   c (16x8)          c[0], c[1] = (g, 2t), (g, 2t + 1);  c[2], c[3] the same of row g + 8
//   tf32 a (16x8)     a[0] = (g, t), a[1] = (g + 8, t), a[2] = (g, t + 4), a[3] = (g + 8, t + 4)
//   tf32 b (8x8)      b[0] = (t, g), b[1] = (t + 4, g)
//   bf16 a (16x16)    a[0] = (g, 2t .. 2t + 1), a[1] = (g + 8, ..), a[2] = (g, 2t + 8 .. 2t + 9), a[3] = (g + 8, ..)
//   bf16 b (16x8)     b[0] = (2t .. 2t + 1, g), b[1] = (2t + 8 .. 2t + 9, g); of two in a register the first is lower
// These instructions need compute_80. Without a GPU the lanes exchange their fragments and each computes its own elements of c.
#pragma once
#include "common.cuh"

// 1 + 2^-10 / (4 ln 2); see to_tf32.
#define TO_TF32 1.00035222f

#ifdef __CUDACC__

// A tf32 (10 bits of mantissa), as the bits of an f32 whose other bits the tensor core ignores. What it cuts off is half a
// unit of the last place on average, and of a number whose logarithm is uniform 2^-10 / (4 ln 2) of the number: a
// multiplication adds that much before. So there is no bias, the error is at most 0.64 2^-10 of the number (0.5 when
// rounded to the nearest, for which a Hopper has four instructions), and NaN, infinities and tf32 stay what they are.
__device__ __forceinline__ u32 to_tf32(float x) {
    return __float_as_uint(x * TO_TF32);
}

// The nearest bf16 of both (ties to even), `low` in the lower half.
__device__ __forceinline__ u32 pack_bf16(float low, float high) {
    u32 bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

__device__ __forceinline__ void mma_m16n8k8_tf32(float (&c)[4], const u32 (&a)[4], const u32 (&b)[2]) {
    asm(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ void mma_m16n8k16_bf16(float (&c)[4], const u32 (&a)[4], const u32 (&b)[2]) {
    asm(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Four 8x8 matrices of 16-bit elements: lane l gives the address of row l % 8 of matrix l / 8 (16 bytes of shared
// memory, 16-byte aligned) and gets elements (l / 4, 2 (l % 4) .. + 1) of matrix i in r[i].
__device__ __forceinline__ void ldmatrix_x4(u32 (&r)[4], const void* row) {
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// The same, each matrix transposed.
__device__ __forceinline__ void ldmatrix_x4_trans(u32 (&r)[4], const void* row) {
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(address)
                 : "memory");
}

// Begins to copy BYTES (4 or 16; both sides aligned to them) into shared memory; zeros where `valid` is false, and
// `global` is not read then. Done after cp_async_wait, for the own thread; for others after a barrier too. CACHED goes through L1,
// for operands that are read several times (a pixel under each tap); 4 bytes always do. What is not compiled for compute_80 copies
// at once.
template <int BYTES, bool CACHED = BYTES == 4>
__device__ __forceinline__ void cp_async(void* shared, const void* global, bool valid) {
    static_assert(BYTES == 16 || (BYTES == 4 && CACHED), "4 bytes through L1, or 16");
#if __CUDA_ARCH__ >= 800
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(shared));
    const int bytes = valid ? BYTES : 0;
    if constexpr (CACHED) {
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(BYTES),
                     "r"(bytes)
                     : "memory");
    } else {
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(bytes)
                     : "memory");
    }
#else
    if constexpr (BYTES == 16) {
        *static_cast<float4*>(shared) = valid ? *static_cast<const float4*>(global) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    } else {
        *static_cast<float*>(shared) = valid ? *static_cast<const float*>(global) : 0.0f;
    }
#endif
}

// Ends a group of copies.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most PENDING groups of this thread's copies are under way.
template <int PENDING>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

#else
#include "host/mma_host.h"
#endif
