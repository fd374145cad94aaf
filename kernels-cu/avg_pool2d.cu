// Average pooling over windows that do not overlap; see crates/kernels/src/avg_pool2d.rs.
#include "common.cuh"

// x is [n, h, w, c], y [n, oh, ow, c]; `window` is 1 / pixels of a window.
struct AvgPool2d {
    int n, h, w, c, kernel_h, kernel_w, oh, ow;
    float window;
};

// Channels c .. c + 4 of a pixel: one load where they are aligned.
__device__ __forceinline__ float4 channels(const float* x, u64 pixel, int c, int channels) {
    return load4(x + pixel * channels, c, channels);
}

// A thread makes four channels of a pixel of y; neighbours in c are neighbours in memory.
extern "C" __global__ void avg_pool2d_forward(AvgPool2d g, const float* x, float* y) {
    const int quads = (g.c + 3) / 4;
    const u64 i = static_cast<u64>(blockIdx.x) * BLOCK + threadIdx.x;
    const u64 pixel = i / quads;
    if (pixel >= static_cast<u64>(g.n) * g.oh * g.ow) {
        return;
    }
    const int c = static_cast<int>(i % quads) * 4;
    const int ox = static_cast<int>(pixel % g.ow), oy = static_cast<int>(pixel / g.ow % g.oh);
    const u64 image = pixel / g.ow / g.oh;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (int dy = 0; dy < g.kernel_h; dy++) {
        for (int dx = 0; dx < g.kernel_w; dx++) {
            const u64 at = (image * g.h + oy * g.kernel_h + dy) * g.w + ox * g.kernel_w + dx;
            const float4 v = channels(x, at, c, g.c);
            sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
        }
    }
    const float s = g.window;
    store4(y + pixel * g.c, c, g.c, make_float4(sum.x * s, sum.y * s, sum.z * s, sum.w * s), 0);
}

// A thread makes four channels of a pixel of dx; 0 where no window is.
extern "C" __global__ void avg_pool2d_backward(AvgPool2d g, const float* dy, float* dx, int accumulate) {
    const int quads = (g.c + 3) / 4;
    const u64 i = static_cast<u64>(blockIdx.x) * BLOCK + threadIdx.x;
    const u64 pixel = i / quads;
    if (pixel >= static_cast<u64>(g.n) * g.h * g.w) {
        return;
    }
    const int c = static_cast<int>(i % quads) * 4;
    const int x = static_cast<int>(pixel % g.w) / g.kernel_w, y = static_cast<int>(pixel / g.w % g.h) / g.kernel_h;
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (x < g.ow && y < g.oh) {
        const u64 image = pixel / g.w / g.h;
        const float4 d = channels(dy, (image * g.oh + y) * g.ow + x, c, g.c);
        v = make_float4(d.x * g.window, d.y * g.window, d.z * g.window, d.w * g.window);
    }
    store4(dx + pixel * g.c, c, g.c, v, accumulate);
}
