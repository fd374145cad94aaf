// The wrappers of mma.cuh for g++: the 32 fibers of a warp exchange fragments, each computes its own elements.
//
// Operands are rounded as the hardware rounds them; products are summed in f32 in the order of k, where the hardware's
// order is unspecified. A copy lands when it is waited for, not before, so that a missing wait reads poison; but in order 1 at
// once, so that one which is begun too early overwrites what is still read (and as it does where it cannot be asynchronous).
#pragma once
#include "cuda_host.h"

namespace host {

struct Fragments {
    unsigned a[4], b[2];
};

inline float tf32(unsigned bits) { return __uint_as_float(bits & 0xFFFFE000u); }
inline float bf16(unsigned pair, unsigned half) { return __uint_as_float(half ? pair & 0xFFFF0000u : pair << 16); }

// Element (row, k) of a tf32 `a` (16x8) and (k, column) of `b` (8x8), from the lane that holds it.
inline float a_tf32(const char* lanes, unsigned row, unsigned k) {
    return tf32(from_lane<Fragments>(lanes, row % 8 * 4 + k % 4).a[row / 8 + k / 4 * 2]);
}
inline float b_tf32(const char* lanes, unsigned k, unsigned column) {
    return tf32(from_lane<Fragments>(lanes, column * 4 + k % 4).b[k / 4]);
}

// The same of bf16: `a` is 16x16, `b` 16x8, two neighbours in k to a register.
inline float a_bf16(const char* lanes, unsigned row, unsigned k) {
    return bf16(from_lane<Fragments>(lanes, row % 8 * 4 + k % 8 / 2).a[row / 8 + k / 8 * 2], k % 2);
}
inline float b_bf16(const char* lanes, unsigned k, unsigned column) {
    return bf16(from_lane<Fragments>(lanes, column * 4 + k % 8 / 2).b[k / 8], k % 2);
}

template <unsigned K, class A, class B>
void multiply(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], A a_at, B b_at) {
    const Fragments own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    const unsigned lane = position->lane;
    const char* lanes = exchange(Meet::Matrix, 0xFFFFFFFFu, &own, sizeof own);
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        for (unsigned k = 0; k < K; k++) c[i] += a_at(lanes, row, k) * b_at(lanes, k, column);
    }
}

inline void load_matrices(unsigned (&r)[4], const void* row, bool transposed) {
    if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) fail("ldmatrix: a row that is not 16-byte aligned");
    const unsigned lane = position->lane;
    const char* rows = exchange(Meet::Load, 0xFFFFFFFFu, &row, sizeof row);
    for (unsigned i = 0; i < 4; i++) {
        r[i] = 0;
        for (unsigned half = 0; half < 2; half++) {
            const unsigned x = lane / 4, y = lane % 4 * 2 + half;
            const auto* elements = from_lane<const unsigned short*>(rows, i * 8 + (transposed ? y : x));
            r[i] |= unsigned(elements[transposed ? x : y]) << 16 * half;
        }
    }
    // The rows may be overwritten once every lane has read them.
    exchange(Meet::Load, 0xFFFFFFFFu, &row, sizeof row);
}

inline void land(const Pending::Copy& copy) {
    for (int word = 0; word < copy.bytes / 4; word++) {
        static_cast<unsigned*>(copy.to)[word] =
            copy.from == nullptr ? 0u : static_cast<const unsigned*>(copy.from)[word];
    }
}

}  // namespace host

inline unsigned to_tf32(float x) { return __float_as_uint(x * TO_TF32); }

inline unsigned pack_bf16(float low, float high) {
    const auto round = [](float x) -> unsigned {
        const unsigned bits = __float_as_uint(x);
        return x != x ? 0x7FFFu : (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
    };
    return round(low) | round(high) << 16;
}

inline void mma_m16n8k8_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    host::multiply<8>(c, a, b, host::a_tf32, host::b_tf32);
}
inline void mma_m16n8k16_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    host::multiply<16>(c, a, b, host::a_bf16, host::b_bf16);
}
inline void ldmatrix_x4(unsigned (&r)[4], const void* row) { host::load_matrices(r, row, false); }
inline void ldmatrix_x4_trans(unsigned (&r)[4], const void* row) { host::load_matrices(r, row, true); }

template <int BYTES, bool CACHED = BYTES == 4>
void cp_async(void* shared, const void* global, bool valid) {
    static_assert(BYTES == 16 || (BYTES == 4 && CACHED), "4 bytes through L1, or 16");
    if ((reinterpret_cast<std::uintptr_t>(shared) | (valid ? reinterpret_cast<std::uintptr_t>(global) : 0)) % BYTES != 0) {
        host::fail("cp_async of %d bytes: not aligned to them", BYTES);
    }
    const host::Pending::Copy copy = {shared, valid ? global : nullptr, BYTES};
    if (host::copies_land_at_once()) return host::land(copy);
    host::pending().copies.push_back(copy);
}
inline void cp_async_commit() {
    host::Pending& pending = host::pending();
    pending.groups.push_back(pending.copies.size());
}
template <int PENDING>
void cp_async_wait() {
    host::Pending& pending = host::pending();
    if (pending.groups.size() <= PENDING) return;
    const std::size_t groups = pending.groups.size() - PENDING, done = pending.groups[groups - 1];
    for (std::size_t i = 0; i < done; i++) host::land(pending.copies[i]);
    pending.copies.erase(pending.copies.begin(), pending.copies.begin() + std::ptrdiff_t(done));
    pending.groups.erase(pending.groups.begin(), pending.groups.begin() + std::ptrdiff_t(groups));
    for (std::size_t& end : pending.groups) end -= done;
}
