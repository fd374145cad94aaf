// A libcuda.so.1 without a GPU, for the tests of the driver's side: memory is the host's, launches do nothing, and
// FAKE_CUDA says what is wrong with the machine. With -DLACKING it has the first functions only. For the case "lanes" it
// prints what streams and events are asked for.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {
bool is(const char* what) {
    const char* fake = std::getenv("FAKE_CUDA");
    return fake != nullptr && std::strcmp(fake, what) == 0;
}
char handle;
int capturing = 0;
int begun = 0;
// As many streams and events as were made: a handle points to its name.
const char* const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
int streams = 0;
int events = 0;
const char* name(const void* handle) { return *static_cast<const char* const*>(handle); }
int said(const char* what, const void* handle, const char* joint = "", const void* other = nullptr) {
    if (is("lanes")) {
        std::printf("\nfake: %s %s%s%s\n", what, name(handle), joint, other == nullptr ? "" : name(other));
        std::fflush(stdout);
    }
    return 0;
}
}  // namespace

extern "C" {
int cuDriverGetVersion(int* version) { *version = is("old") ? 12030 : 13000; return 0; }
int cuInit(unsigned) { return is("none") ? 100 : is("broken") ? 804 : 0; }
int cuDeviceGetCount(int* count) { *count = is("empty") ? 0 : 2; return 0; }
#ifndef LACKING
int cuDeviceGet(int* device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char* name, int bytes, int) { std::strncpy(name, "Fake", bytes); return 0; }
int cuDeviceTotalMem_v2(std::size_t* bytes, int) { *bytes = 1 << 20; return 0; }
int cuDeviceGetAttribute(int* value, int which, int) { *value = which == 75 ? (is("volta") ? 7 : 9) : 0; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int) { *context = &handle; return 0; }
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void*) { return 0; }
int cuCtxGetCurrent(void** context) { *context = &handle; return 0; }
int cuCtxGetStreamPriorityRange(int* least, int* greatest) { *least = 0; *greatest = -5; return 0; }
int cuStreamCreateWithPriority(void** stream, unsigned, int priority) {
    *stream = const_cast<const char**>(&names[streams++ % 8]);
    char text[32];
    std::snprintf(text, sizeof text, "priority %d for", priority);
    return said(text, *stream);
}
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamWaitEvent(void* stream, void* event, unsigned) { return said("stream", stream, " waits for event ", event); }
// Only events without times are cheap.
int cuEventCreate(void** event, unsigned flags) {
    *event = const_cast<const char**>(&names[events++ % 8]);
    return flags == 2 ? 0 : 1;
}
int cuEventDestroy_v2(void*) { return 0; }
int cuEventRecord(void* event, void* stream) { return said("event", event, " on stream ", stream); }
int cuStreamSynchronize(void*) { return capturing ? 900 : 0; }
int cuStreamBeginCapture_v2(void* stream, int) { capturing = 1; begun++; return said("recording begins on", stream); }
int cuStreamEndCapture(void* stream, void** graph) {
    capturing = 0;
    *graph = &handle;
    return said("recording ends on", stream);
}
// Node priorities are used (8), or those of the streams would be lost.
int cuGraphInstantiateWithFlags(void** instance, void*, unsigned long long flags) {
    *instance = &handle;
    return flags == 8 ? 0 : 1;
}
int cuGraphDestroy(void*) { return 0; }
int cuGraphExecDestroy(void*) { return 0; }
int cuGraphLaunch(void*, void* stream) { return is("fault") ? 700 : said("replay on", stream); }
int cuMemAlloc_v2(void** memory, std::size_t bytes) {
    if (bytes > 1 << 20) return 2;
    *memory = std::malloc(bytes);
    return 0;
}
int cuMemFree_v2(void* memory) { std::free(memory); return 0; }
int cuMemGetInfo_v2(std::size_t* free, std::size_t* total) { *free = 1000; *total = 1 << 20; return 0; }
int cuMemcpyHtoDAsync_v2(void* to, const void* from, std::size_t bytes, void*) { std::memcpy(to, from, bytes); return 0; }
int cuMemcpyDtoHAsync_v2(void* to, const void* from, std::size_t bytes, void*) { std::memcpy(to, from, bytes); return 0; }
int cuMemcpyDtoDAsync_v2(void* to, const void* from, std::size_t bytes, void*) { std::memcpy(to, from, bytes); return 0; }
int cuMemsetD8Async(void* memory, unsigned char byte, std::size_t bytes, void*) { std::memset(memory, byte, bytes); return 0; }
int cuModuleLoadData(void** module, const void* image) {
    *module = &handle;
    return std::strstr(static_cast<const char*>(image), ".visible .entry") == nullptr ? 218 : capturing ? 900 : 0;
}
int cuModuleGetFunction(void** function, void*, const char*) { *function = &handle; return 0; }
int cuModuleUnload(void*) { return 0; }
int cuFuncSetAttribute(void*, int, int) { return 0; }
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void* stream, void**, void**) {
    return is("fault") ? 700 : said("launch on", stream);
}
int cuGetErrorName(int, const char** name) { *name = "name"; return 0; }
int cuGetErrorString(int, const char** text) { *text = "text"; return 0; }
#endif
}
