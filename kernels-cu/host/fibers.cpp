// The scheduler of the CPU stand-in: a grid's blocks one after the other, a block's threads as fibers.
//
// Orders: 0 runs blocks and threads ascending, 1 descending, 2 in a fixed shuffle that turns at every barrier, so that
// a kernel which leans on an order that the GPU does not promise gives different numbers in one of them.
//
// Under ThreadSanitizer (-DHOST_TSAN for this file, which itself stays uninstrumented) every thread of a block is a
// fiber of its own to the sanitizer, switches order nothing, and only barriers do: a missing one is a reported race,
// between blocks too.
#include "machine.h"

#include <sys/mman.h>

#include <cstdarg>
#include <cstdio>

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

__thread Machine* machine __attribute__((tls_model("initial-exec"))) = nullptr;
__thread Position* position __attribute__((tls_model("initial-exec"))) = nullptr;

Machine::Machine() {
    regions.reserve(MAX_REGIONS);
    void* memory = mmap(nullptr, STACK * 2 * MAX_THREADS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("no memory for the stand-in's stacks");
        std::abort();
    }
    stacks = static_cast<char*>(memory);
}

Machine::~Machine() {
    munmap(stacks, STACK * 2 * MAX_THREADS);
    for (char* arena : arenas) std::free(arena);
#ifdef HOST_TSAN
    for (auto& set : sanitizers) {
        for (void* sanitizer : set) {
            if (sanitizer != nullptr) __tsan_destroy_fiber(sanitizer);
        }
    }
#endif
}

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

namespace {

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
#ifdef HOST_TSAN
    // A stack that another fiber had would look like a race with it.
    const std::size_t set = m.block_sanitizers == m.sanitizers[0] ? 0 : MAX_THREADS;
    thread.stack = set + std::size_t(&thread - m.threads.data());
#else
    thread.stack = m.free_stacks.back();
    m.free_stacks.pop_back();
#endif
    // As if fiber_main had been called: 16-byte aligned before the return address, and six registers to pop.
    const auto end = reinterpret_cast<std::uintptr_t>(m.stacks + STACK * (thread.stack + 1)) & ~std::uintptr_t(15);
    void** top = reinterpret_cast<void**>(end);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; i++) *--top = nullptr;
    thread.stack_pointer = top;
}

void run(Machine& m, Thread& thread) {
    if (thread.stack_pointer == nullptr) start(m, thread);
    m.running = &thread;
    position = &thread.position;
#ifdef HOST_TSAN
    __tsan_switch_to_fiber(m.block_sanitizers[&thread - m.threads.data()], 1);
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

void run_block(Machine& m, uint3 block, uint3 block_dim, uint3 grid_dim, std::size_t arena) {
    const unsigned n = block_dim.x * block_dim.y * block_dim.z;
    m.arena = m.arenas[arena];
    m.block_sanitizers = m.sanitizers[arena % 2];
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
        thread.pending[arena % 2].copies.clear();
        thread.pending[arena % 2].groups.clear();
        Warp& warp = m.warps[i / 32];
        if (i % 32 == 0) warp.waiting = warp.threads = 0;
        warp.threads++;
    }
    if (m.launch->dynamic_bytes > 0) add_region(m, nullptr, m.launch->dynamic_bytes);
    run_threads(m, n);
    if (!m.launch->failed) check_redzones(m);
}

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

Pending& pending() {
    Machine& m = *machine;
    return m.running->pending[m.block_sanitizers == m.sanitizers[0] ? 0 : 1];
}

bool copies_land_at_once() { return machine->launch->order == 1; }

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

}  // namespace host
