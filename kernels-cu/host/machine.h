// What the scheduler of the stand-in keeps: the fibers of a block, its warps, its shared memory, the launch in hand.
#pragma once
#include "cuda_host.h"

#include <cstdlib>
#include <memory>
#include <string>

#ifdef HOST_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
}
#endif

namespace host {

constexpr std::size_t MAX_THREADS = 1024;
// Of a block: what compute capabilities 8.6, 8.9 and 12.0 have; 8.0 and 9.0 have more.
constexpr std::size_t MAX_SHARED = 99 * 1024;
constexpr std::size_t REDZONE = 64;
constexpr std::size_t MAX_REGIONS = 32;
constexpr std::size_t ARENA = MAX_SHARED + MAX_REGIONS * 2 * REDZONE;
// Not a multiple of 4,096, so that the fibers' hottest lines do not all fall into the same sets of the cache.
constexpr std::size_t STACK = 64 * 1024 + 5 * 64;

enum class State { Ready, AtBlock, AtWarp, Done };

struct Thread {
    Position position;
    State state;
    void* stack_pointer;
    std::size_t stack;  // index of the stack that it runs on
    unsigned block_barriers, warp_barriers;
    Pending pending[2];  // for even and for odd blocks, as the sanitizer's fibers are
};

struct Warp {
    unsigned waiting, threads;
    unsigned what;  // of those that wait
    alignas(64) char values[2][32 * WIDTH];
    char sync[2];
};

struct Region {
    const void* tag;
    std::size_t offset, bytes;
};

struct Launch {
    const Kernel* kernel;
    void** arguments;
    int order;
    std::size_t dynamic_bytes;
    std::vector<unsigned> permutation;
    std::string error = {};
    bool failed = false;
};

// One an OS thread: the fibers and what the block in hand has.
struct Machine {
    char* stacks = nullptr;
    std::vector<std::size_t> free_stacks;
    std::vector<Thread> threads = std::vector<Thread>(MAX_THREADS);
    std::vector<Warp> warps = std::vector<Warp>(MAX_THREADS / 32);
    std::vector<Region> regions;
    std::vector<char*> arenas;
    char* arena = nullptr;
    std::size_t arena_used = 0;
    unsigned live = 0, at_block = 0;
    char block_sync[2], launch_sync, done_sync;
    void* scheduler = nullptr;
    void* scheduler_sanitizer = nullptr;
    // The sanitizer's fibers: two to a thread, for even and for odd blocks, since what one fiber does is in order.
    void* sanitizers[2][MAX_THREADS] = {};
    void** block_sanitizers = nullptr;
    Thread* running = nullptr;
    Launch* launch = nullptr;

    Machine();
    ~Machine();
};

// This thread's, where a launch runs.
extern __thread Machine* machine __attribute__((tls_model("initial-exec")));

// Tells the sanitizer, where there is one, what orders memory.
void acquire(char* sync);
void release(char* sync);

// A fixed permutation of 0 .. n.
std::vector<unsigned> shuffled(unsigned n);

// Runs one block to its end, or until the launch failed, with this of the machine's arenas as shared memory.
void run_block(Machine& m, uint3 block, uint3 block_dim, uint3 grid_dim, std::size_t arena);

}  // namespace host
