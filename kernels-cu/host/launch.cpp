// The stand-in's C interface: a kernel's parameters by its name, and a launch of a whole grid.
#include "machine.h"

#include <cstdio>

namespace host {

extern const Kernel* const all_kernels[];
extern const unsigned kernel_count;

namespace {

thread_local std::unique_ptr<Machine> machine_of_thread;

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
    if (kernel == nullptr || n == 0 || n > kernel->threads || bz > 64 || gx == 0 || gy == 0 || gz == 0 || gy > 65535 ||
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
    for (unsigned i = 0; i < 2 * n; i++) {
        void*& sanitizer = m.sanitizers[i % 2][i / 2];
        if (sanitizer == nullptr) sanitizer = __tsan_create_fiber(0);
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

#ifndef HOST_TSAN
// What g++ calls where -fsanitize=alignment finds a wrong address: a float4 has to lie on 16 bytes, or a GPU faults.
struct Mismatch {
    const char* file;
    unsigned line, column;
};

extern "C" void __ubsan_handle_type_mismatch_v1_abort(const Mismatch* where, std::uintptr_t address) {
    host::fail("a misaligned access to %#zx (%s:%u)", std::size_t(address), where->file, where->line);
}
#endif
