// Counter-based random numbers with the CPU's bits; see crates/kernels/src/philox.rs.
#pragma once
#include "common.cuh"

// Where a stream of random numbers is: its key, its number, and the index of the next 32-bit word.
struct Philox {
    u64 seed, stream, position;
};

// One block of Philox4x32-10 (Salmon et al. 2011): four words from the block's number.
__device__ __forceinline__ uint4 philox_block(const Philox& philox, u64 block) {
    u32 c0 = static_cast<u32>(block), c1 = static_cast<u32>(block >> 32);
    u32 c2 = static_cast<u32>(philox.stream), c3 = static_cast<u32>(philox.stream >> 32);
    u32 k0 = static_cast<u32>(philox.seed), k1 = static_cast<u32>(philox.seed >> 32);
    for (int round = 0; round < 10; round++) {
        const u32 low0 = 0xD2511F53u * c0, high0 = __umulhi(0xD2511F53u, c0);
        const u32 low1 = 0xCD9E8D57u * c2, high1 = __umulhi(0xCD9E8D57u, c2);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return make_uint4(c0, c1, c2, c3);
}

// Uniform in [0, 1): the upper 24 bits, exactly.
__device__ __forceinline__ float to_unit(u32 word) {
    return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}
