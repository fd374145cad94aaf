// The scheduler of the CPU stand-in: a grid's blocks one after the other, a block's threads as fibers.
//
// Orders: 0 runs blocks and threads ascending, 1 descending, 2 in a fixed shuffle that turns at every barrier, so that
// a kernel which leans on an order that the GPU does not promise gives different numbers in one of them.
//
// Under ThreadSanitizer (-DHOST_TSAN for this file, which itself stays uninstrumented) every thread of a block is a
// fiber of its own to the sanitizer, switches order nothing, and only barriers do: a missing one is a reported race,
// between blocks too.
#include "cuda_host.h"

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

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

// Saves the callee-saved registers and the stack pointer of one side, and continues on the other.
extern "C" void host_switch(void** save, void* load);
#ifndef __x86_64__
#error "the stand-in's context switch is written for x86-64"
#endif
asm(R"(
.text
.type host_switch, @function
host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size host_switch, .-host_switch
)");

namespace host {
namespace {

constexpr std::size_t MAX_THREADS = 1024;
constexpr std::size_t MAX_SHARED = 227 * 1024;
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
    void* sanitizer = nullptr;
    Pending pending;
};

struct Warp {
    unsigned waiting, threads;
    unsigned what;  // of those that wait
    unsigned done;
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
    Thread* running = nullptr;
    Launch* launch = nullptr;

    Machine() {
        regions.reserve(MAX_REGIONS);
        void* memory = mmap(nullptr, STACK * MAX_THREADS, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("no memory for the stand-in's stacks");
            std::abort();
        }
        stacks = static_cast<char*>(memory);
    }
    ~Machine() {
        munmap(stacks, STACK * MAX_THREADS);
        for (char* arena : arenas) std::free(arena);
#ifdef HOST_TSAN
        for (Thread& thread : threads) {
            if (thread.sanitizer != nullptr) __tsan_destroy_fiber(thread.sanitizer);
        }
#endif
    }
};

thread_local std::unique_ptr<Machine> machine_of_thread;
__thread Machine* machine __attribute__((tls_model("initial-exec")));

void acquire([[maybe_unused]] char* sync) {
#ifdef HOST_TSAN
    __tsan_acquire(sync);
#endif
}

void release([[maybe_unused]] char* sync) {
#ifdef HOST_TSAN
    __tsan_release(sync);
#endif
}

void to_scheduler(Machine& m) {
    Thread* self = m.running;
#ifdef HOST_TSAN
    __tsan_switch_to_fiber(m.scheduler_sanitizer, 1);
#endif
    host_switch(&self->stack_pointer, m.scheduler);
}

void fiber_main() {
    Machine& m = *machine;
    acquire(&m.launch_sync);
    m.launch->kernel->call(m.launch->arguments);
    release(&m.done_sync);
    m.running->state = State::Done;
    to_scheduler(m);
    __builtin_unreachable();
}

void start(Machine& m, Thread& thread) {
    thread.stack = m.free_stacks.back();
    m.free_stacks.pop_back();
    // As if fiber_main had been called: 16-byte aligned before the return address, and six registers to pop.
    void** top = reinterpret_cast<void**>((reinterpret_cast<std::uintptr_t>(m.stacks + STACK * (thread.stack + 1)) & ~std::uintptr_t(15)));
    top -= 1;
    *top = nullptr;
    *--top = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    thread.stack_pointer = top;
}

void run(Machine& m, Thread& thread) {
    if (thread.stack_pointer == nullptr) start(m, thread);
    m.running = &thread;
    position = &thread.position;
#ifdef HOST_TSAN
    __tsan_switch_to_fiber(thread.sanitizer, 1);
#endif
    host_switch(&m.scheduler, thread.stack_pointer);
    if (thread.state == State::Done) {
        m.live--;
        // The next thread that starts runs on this stack, which is in the cache.
        m.free_stacks.push_back(thread.stack);
    }
}

unsigned at(const Launch& launch, unsigned i, unsigned n, unsigned turn) {
    switch (launch.order) {
        case 0: return i;
        case 1: return n - 1 - i;
        default: return launch.permutation[(i + 7 * turn) % n] % n;
    }
}

// A fixed permutation of n (Fisher and Yates, over a linear congruential generator).
std::vector<unsigned> shuffled(unsigned n) {
    std::vector<unsigned> order(n);
    for (unsigned i = 0; i < n; i++) order[i] = i;
    std::uint64_t state = 88172645463325252ull + n;
    for (unsigned i = n; i > 1; i--) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(order[i - 1], order[(state >> 33) % i]);
    }
    return order;
}

void describe_stall(Machine& m, unsigned n) {
    unsigned at_warp = 0;
    for (unsigned i = 0; i < n; i++) at_warp += m.threads[i].state == State::AtWarp;
    char text[256];
    const uint3 b = m.threads[0].position.block;
    std::snprintf(text, sizeof text,
                  "%s, block (%u, %u, %u): of %u threads %u wait at __syncthreads, %u at a warp operation, %u have returned",
                  m.launch->kernel->name, b.x, b.y, b.z, n, m.at_block, at_warp, n - m.live);
    m.launch->error = text;
    m.launch->failed = true;
}

void check_redzones(Machine& m) {
    for (const Region& region : m.regions) {
        for (std::size_t i = 0; i < REDZONE; i++) {
            if (static_cast<unsigned char>(m.arena[region.offset + region.bytes + i]) != 0xFF) {
                m.launch->error = std::string(m.launch->kernel->name) + ": a write past the end of " +
                                  std::to_string(region.bytes) + " bytes of shared memory";
                m.launch->failed = true;
                return;
            }
        }
    }
}

void run_threads(Machine& m, unsigned n) {
    for (unsigned turn = 0; m.live > 0; turn++) {
        bool ran = false;
        for (unsigned i = 0; i < n; i++) {
            Thread& thread = m.threads[at(*m.launch, i, n, turn)];
            if (thread.state == State::Ready) {
                ran = true;
                run(m, thread);
                if (m.launch->failed) return;
            }
        }
        if (m.at_block == n) {
            m.at_block = 0;
            for (unsigned i = 0; i < n; i++) m.threads[i].state = State::Ready;
        } else if (!ran) {
            return describe_stall(m, n);
        }
    }
}

// Plain stores: the sanitizer hears of memset and memcpy wherever they are called, and would take the scheduler's own
// writes for the kernel's.
void put(char* to, const void* from, std::size_t bytes) {
#ifdef HOST_TSAN
    volatile char* out = to;
    for (std::size_t i = 0; i < bytes; i++) out[i] = static_cast<const char*>(from)[i];
#else
    std::memcpy(to, from, bytes);
#endif
}

void poison(char* to, std::size_t bytes) {
#ifdef HOST_TSAN
    volatile char* out = to;
    for (std::size_t i = 0; i < bytes; i++) out[i] = char(0xFF);
#else
    std::memset(to, 0xFF, bytes);
#endif
}

void* add_region(Machine& m, const void* tag, std::size_t bytes) {
    const std::size_t padded = (bytes + REDZONE + 127) / 128 * 128;
    if (m.arena_used + padded > ARENA || m.regions.size() == MAX_REGIONS) {
        fail("more than %zu bytes, or %zu pieces, of shared memory", MAX_SHARED, MAX_REGIONS);
    }
    char* start = m.arena + m.arena_used;
    poison(start, padded);
    m.regions.push_back({tag, m.arena_used, bytes});
    m.arena_used += padded;
    return start;
}

void run_block(Machine& m, uint3 block, uint3 block_dim, uint3 grid_dim, std::size_t arena) {
    const unsigned n = block_dim.x * block_dim.y * block_dim.z;
    m.arena = m.arenas[arena];
    m.arena_used = 0;
    m.regions.clear();
    m.live = n;
    m.at_block = 0;
    m.free_stacks.clear();
    for (unsigned i = 0; i < n; i++) m.free_stacks.push_back(n - 1 - i);
    for (unsigned i = 0; i < n; i++) {
        Thread& thread = m.threads[i];
        thread.position = {{i % block_dim.x, i / block_dim.x % block_dim.y, i / block_dim.x / block_dim.y}, block, block_dim, grid_dim, i % 32};
        thread.state = State::Ready;
        thread.stack_pointer = nullptr;
        thread.block_barriers = thread.warp_barriers = 0;
        thread.pending.copies.clear();
        thread.pending.groups.clear();
        Warp& warp = m.warps[i / 32];
        if (i % 32 == 0) warp.waiting = warp.threads = warp.done = 0;
        warp.threads++;
    }
    if (m.launch->dynamic_bytes > 0) add_region(m, nullptr, m.launch->dynamic_bytes);
    run_threads(m, n);
    if (!m.launch->failed) check_redzones(m);
}

// Waits until every lane of the warp is here.
void meet(Machine& m, Warp& warp, unsigned what, unsigned mask) {
    if (mask != 0xFFFFFFFFu || warp.threads != 32) {
        fail("a warp operation by a part of a warp (mask %08x, %u threads): the stand-in wants all 32 lanes", mask, warp.threads);
    }
    if (warp.waiting == 0) warp.what = what;
    if (warp.what != what) fail("lanes of one warp meet in different operations (%u and %u)", warp.what, what);
    if (++warp.waiting < 32) {
        m.running->state = State::AtWarp;
        to_scheduler(m);
        return;
    }
    warp.waiting = 0;
    Thread* first = m.running - m.running->position.lane;
    for (unsigned lane = 0; lane < 32; lane++) first[lane].state = State::Ready;
}

Warp& warp_of(Machine& m) { return m.warps[(m.running - m.threads.data()) / 32]; }

}  // namespace

__thread Position* position __attribute__((tls_model("initial-exec"))) = nullptr;

void fail(const char* format, ...) {
    Machine& m = *machine;
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    m.launch->error = std::string(m.launch->kernel->name) + ": " + text;
    m.launch->failed = true;
    to_scheduler(m);
    __builtin_unreachable();
}

void* shared(const void* tag, std::size_t bytes) {
    Machine& m = *machine;
    for (const Region& region : m.regions) {
        if (region.tag == tag) return m.arena + region.offset;
    }
    return add_region(m, tag, bytes);
}

void* dynamic_shared() {
    Machine& m = *machine;
    if (m.launch->dynamic_bytes == 0) fail("dynamic shared memory, of which the launch asked for none");
    return m.arena;
}

Pending& pending() { return machine->running->pending; }

void sync_block() {
    Machine& m = *machine;
    Thread& self = *m.running;
    // Two in turn: what a fast thread releases at the next barrier must not reach a slow one that leaves this one.
    char* sync = &m.block_sync[self.block_barriers++ & 1];
    release(sync);
    m.at_block++;
    self.state = State::AtBlock;
    to_scheduler(m);
    acquire(sync);
}

void sync_warp(unsigned mask) {
    Machine& m = *machine;
    Warp& warp = warp_of(m);
    char* sync = &warp.sync[m.running->warp_barriers++ & 1];
    release(sync);
    meet(m, warp, 0, mask);
    acquire(sync);
}

const char* exchange(Meet what, unsigned mask, const void* value, std::size_t bytes) {
    Machine& m = *machine;
    Warp& warp = warp_of(m);
    // Two in turn, as for barriers. A shuffle orders no memory, so the sanitizer is not told.
    char* values = warp.values[m.running->warp_barriers++ & 1];
    put(values + m.running->position.lane * WIDTH, value, bytes);
    meet(m, warp, static_cast<unsigned>(what), mask);
    return values;
}

extern const Kernel* const all_kernels[];
extern const unsigned kernel_count;

namespace {

const Kernel* find(const char* name) {
    for (unsigned i = 0; i < kernel_count; i++) {
        if (std::strcmp(all_kernels[i]->name, name) == 0) return all_kernels[i];
    }
    return nullptr;
}

#ifdef HOST_TSAN
// Appends the kernel's name to the file that ECGAN_HOST_LAUNCHED names, for the check that every kernel was run.
void note_launch(const char* name) {
    const char* path = std::getenv("ECGAN_HOST_LAUNCHED");
    if (path == nullptr) return;
    if (std::FILE* file = std::fopen(path, "a")) {
        std::fprintf(file, "%s\n", name);
        std::fclose(file);
    }
}
#endif

void grow_arenas(Machine& m, unsigned long long count) {
    while (m.arenas.size() < count) m.arenas.push_back(static_cast<char*>(std::aligned_alloc(128, ARENA)));
}

void run_grid(Machine& m, uint3 grid, uint3 block) {
    const unsigned long long blocks = 1ull * grid.x * grid.y * grid.z;
    const unsigned long long shuffle = blocks < (1u << 20) ? blocks : 0;
    const std::vector<unsigned> order = m.launch->order == 2 && shuffle ? shuffled(blocks) : std::vector<unsigned>();
    for (unsigned long long i = 0; i < blocks && !m.launch->failed; i++) {
        const unsigned long long b = m.launch->order == 1 ? blocks - 1 - i : order.empty() ? i : order[i];
        const uint3 index = {unsigned(b % grid.x), unsigned(b / grid.x % grid.y), unsigned(b / grid.x / grid.y)};
        run_block(m, index, block, grid, i % m.arenas.size());
    }
}

}  // namespace
}  // namespace host

// The sizes of a kernel's parameters into `sizes`; returns how many it has, -1 where there is no such kernel.
extern "C" int ecgan_host_parameters(const char* name, unsigned* sizes, unsigned capacity) {
    const host::Kernel* kernel = host::find(name);
    if (kernel == nullptr) return -1;
    for (unsigned i = 0; i < kernel->count && i < capacity; i++) sizes[i] = kernel->sizes[i];
    return static_cast<int>(kernel->count);
}

// Runs a kernel to its end. Returns 0, or 1 with a message in `error`.
extern "C" int ecgan_host_launch(const char* name, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                 unsigned bz, unsigned shared_bytes, void** arguments, int order, char* error,
                                 std::size_t error_bytes) {
    using namespace host;
    const Kernel* kernel = find(name);
    const unsigned long long n = 1ull * bx * by * bz;
    if (kernel == nullptr || n == 0 || n > MAX_THREADS || bz > 64 || gx == 0 || gy == 0 || gz == 0 || gy > 65535 ||
        gz > 65535 || gx > 0x7FFFFFFF || shared_bytes > MAX_SHARED) {
        std::snprintf(error, error_bytes, "%s: %s", name, kernel == nullptr ? "no such kernel" : "a launch that no GPU takes");
        return 1;
    }
#ifdef HOST_TSAN
    note_launch(name);
#endif
    if (!machine_of_thread) machine_of_thread = std::make_unique<Machine>();
    machine = machine_of_thread.get();
    Machine& m = *machine;
    Launch launch{kernel, arguments, order, shared_bytes, order == 2 ? shuffled(unsigned(n)) : std::vector<unsigned>()};
    m.launch = &launch;
#ifdef HOST_TSAN
    // Blocks are not ordered: shared memory at one address would look like a race between them.
    grow_arenas(m, 1ull * gx * gy * gz);
    m.scheduler_sanitizer = __tsan_get_current_fiber();
    for (unsigned i = 0; i < n; i++) {
        if (m.threads[i].sanitizer == nullptr) m.threads[i].sanitizer = __tsan_create_fiber(0);
    }
#else
    grow_arenas(m, 1);
#endif
    release(&m.launch_sync);
    run_grid(m, {gx, gy, gz}, {bx, by, bz});
    acquire(&m.done_sync);
    if (launch.failed) std::snprintf(error, error_bytes, "%s", launch.error.c_str());
    return launch.failed ? 1 : 0;
}
