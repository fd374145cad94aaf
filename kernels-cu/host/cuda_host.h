// CUDA's language for g++: what a kernel may use, over the fibers of fibers.cpp.
//
// Every thread of a block is a fiber of the calling thread; barriers and warp operations are where fibers switch.
// What the hardware leaves undefined is an error here: a barrier that some threads do not reach, a warp operation
// by a part of a warp, a write past the end of shared memory.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct uint3 { unsigned x, y, z; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace host {

// Where the running fiber is. Set by the scheduler before it switches.
struct Position {
    uint3 thread, block, block_dim, grid_dim;
    unsigned lane;
};
extern __thread Position* position __attribute__((tls_model("initial-exec")));

// Ends the launch with this message.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Memory that the threads of a block share: the same address for the same tag, full of 0xFF bytes (NaN) at first.
void* shared(const void* tag, std::size_t bytes);
void* dynamic_shared();

void sync_block();
void sync_warp(unsigned mask);

// The warp operations by name, so that lanes which meet in different ones are found.
enum class Meet : unsigned { Shuffle = 1, Ballot, Matrix, Load };

// Gives `bytes` at `value` to the warp and waits for its 32 lanes; then lane l's are at result + l * WIDTH, until this
// lane's next warp operation.
constexpr std::size_t WIDTH = 64;
const char* exchange(Meet what, unsigned mask, const void* value, std::size_t bytes);

// Not the sanitizer's business: the lanes met, and a shuffle orders no other memory.
template <class T>
__attribute__((no_sanitize("thread"))) T from_lane(const char* values, unsigned lane) {
    T value;
    std::memcpy(&value, values + lane * WIDTH, sizeof(T));
    return value;
}

// The running thread's asynchronous copies that were not waited for yet, and where each group of them ends.
struct Pending {
    struct Copy {
        void* to;
        const void* from;  // null: zeros
        int bytes;
    };
    std::vector<Copy> copies;
    std::vector<std::size_t> groups;
};
Pending& pending();
bool copies_land_at_once();

template <class T>
T shuffle(unsigned mask, T value, unsigned source) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    return from_lane<T>(exchange(Meet::Shuffle, mask, &value, sizeof(T)), source);
}

// A kernel as the table has it: its name, the most threads of a block, the call with arguments as cuLaunchKernel takes them, their
// sizes.
struct Kernel {
    const char* name;
    unsigned threads;
    void (*call)(void** arguments);
    const unsigned* sizes;
    unsigned count;
};

template <auto F, class Type>
struct Entry;

template <auto F, class... P>
struct Entry<F, void (*)(P...)> {
    static constexpr unsigned sizes[] = {sizeof(P)..., 0};

    template <std::size_t... I>
    static void unpack(void** arguments, std::index_sequence<I...>) {
        F(*static_cast<std::remove_const_t<P>*>(arguments[I])...);
    }

    static void call(void** arguments) { unpack(arguments, std::index_sequence_for<P...>{}); }
    static constexpr Kernel kernel(const char* name, unsigned threads) { return {name, threads, call, sizes, sizeof...(P)}; }
};

}  // namespace host

#define HOST_KERNEL(f, threads)  \
    namespace host {             \
    extern const Kernel host_##f; \
    const Kernel host_##f = Entry<&f, decltype(&f)>::kernel(#f, threads); \
    }

#define threadIdx (host::position->thread)
#define blockIdx (host::position->block)
#define blockDim (host::position->block_dim)
#define gridDim (host::position->grid_dim)

#define SHARED(type, name, ...)                                                                               \
    type(&name) __VA_ARGS__ = *static_cast<type(*) __VA_ARGS__>(host::shared(                                  \
        [] { static char tag; return static_cast<const void*>(&tag); }(), sizeof(type __VA_ARGS__)))
#define DYNAMIC_SHARED(type, name) type* const name = static_cast<type*>(host::dynamic_shared())

inline void __syncthreads() { host::sync_block(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { host::sync_warp(mask); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    const unsigned lane = host::position->lane;
    return host::shuffle(mask, value, (lane & ~unsigned(width - 1)) | (unsigned(source) & unsigned(width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32) {
    const unsigned lane = host::position->lane, source = lane ^ unsigned(flip);
    return host::shuffle(mask, value, source / width <= lane / width ? source : lane);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const unsigned lane = host::position->lane;
    return host::shuffle(mask, value, lane % width + delta < unsigned(width) ? lane + delta : lane);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    const unsigned lane = host::position->lane;
    return host::shuffle(mask, value, lane % width >= delta ? lane - delta : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
    const unsigned char bit = predicate != 0;
    const char* bits = host::exchange(host::Meet::Ballot, mask, &bit, 1);
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < 32; lane++) {
        ballot |= unsigned(host::from_lane<unsigned char>(bits, lane)) << lane;
    }
    return ballot;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xFFFFFFFFu; }

inline int atomicAdd(int* p, int value) { return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST); }
inline unsigned atomicAdd(unsigned* p, unsigned value) { return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST); }

template <class T>
T __ldg(const T* p) { return *p; }
inline float __int_as_float(int x) { float y; std::memcpy(&y, &x, 4); return y; }
inline int __float_as_int(float x) { int y; std::memcpy(&y, &x, 4); return y; }
inline float __uint_as_float(unsigned x) { float y; std::memcpy(&y, &x, 4); return y; }
inline unsigned __float_as_uint(float x) { unsigned y; std::memcpy(&y, &x, 4); return y; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((std::uint64_t(a) * b) >> 32); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
inline float __fdiv_rn(float x, float y) { return x / y; }
template <class T>
inline T min(T a, T b) { return b < a ? b : a; }
template <class T>
inline T max(T a, T b) { return a < b ? b : a; }
