// Differentiable augmentation of what a discriminator sees; see crates/kernels/src/diff_augment.rs.
#include "common.cuh"

struct DiffAugment {
    int h, w, c, colour, translation, cutout;
};

// What happens to one image.
struct Drawn {
    float brightness, saturation, contrast;
    int shift_y, shift_x, top, left, bottom, right;
};

// One of n integers from 0, by u in [0, 1).
__device__ __forceinline__ int one_of(float u, int n) {
    return min(static_cast<int>(u * static_cast<float>(n)), n - 1);
}

__device__ __forceinline__ int shift(float u, int size) {
    const int most = (size + 4) / 8;
    return one_of(u, 2 * most + 1) - most;
}

__device__ __forceinline__ int first_cut(float u, int size, int length) {
    return one_of(u, size + 1 - length % 2) - length / 2;
}

__device__ __forceinline__ Drawn draw(DiffAugment g, const float* u) {
    Drawn d = {0.0f, 1.0f, 1.0f, 0, 0, 0, 0, 0, 0};
    if (g.colour) {
        d.brightness = u[0] - 0.5f;
        d.saturation = u[1] + u[1];
        d.contrast = u[2] + 0.5f;
    }
    if (g.translation) {
        d.shift_y = shift(u[3], g.h);
        d.shift_x = shift(u[4], g.w);
    }
    if (g.cutout) {
        const int height = (g.h + 1) / 2, width = (g.w + 1) / 2;
        d.top = first_cut(u[5], g.h, height);
        d.left = first_cut(u[6], g.w, width);
        d.bottom = d.top + height;
        d.right = d.left + width;
    }
    return d;
}

// Whether pixel (i, j) of y comes from one of x.
__device__ __forceinline__ bool comes(DiffAugment g, Drawn d, int i, int j) {
    const int y = i + d.shift_y, x = j + d.shift_x;
    const bool inside = i >= 0 && i < g.h && j >= 0 && j < g.w && y >= 0 && y < g.h && x >= 0 && x < g.w;
    return inside && !(i >= d.top && i < d.bottom && j >= d.left && j < d.right);
}

__device__ __forceinline__ float channel_mean(const float* x, int c) {
    float sum = 0.0f;
    for (int k = 0; k < c; k++) {
        sum += x[k];
    }
    return sum / static_cast<float>(c);
}

// The sum over a block, in every thread.
__device__ __forceinline__ double sum_of_all(double value, double* scratch, double* total) {
    value = block_sum<BLOCK>(value, scratch);
    if (threadIdx.x == 0) {
        *total = value;
    }
    __syncthreads();
    return *total;
}

// A block makes an image of y, a thread every BLOCK-th pixel.
extern "C" __global__ void diff_augment_forward(DiffAugment g, const float* x, const float* drawn, float* y) {
    SHARED(double, scratch, [32]);
    SHARED(double, total, [1]);
    const int size = g.h * g.w * g.c;
    x += static_cast<u64>(blockIdx.x) * size;
    y += static_cast<u64>(blockIdx.x) * size;
    const Drawn d = draw(g, drawn + blockIdx.x * 8);
    double sum = 0.0;
    for (int i = threadIdx.x; g.colour && i < size; i += BLOCK) {
        sum += x[i];
    }
    const float mean = static_cast<float>(sum_of_all(sum, scratch, total) / size);
    const float all = (1.0f - d.contrast) * mean + d.brightness;
    for (int p = threadIdx.x; p < g.h * g.w; p += BLOCK) {
        const int i = p / g.w, j = p % g.w;
        float* to = y + p * g.c;
        if (comes(g, d, i, j)) {
            const float* from = x + ((i + d.shift_y) * g.w + j + d.shift_x) * g.c;
            const float grey = d.contrast * (1.0f - d.saturation) * channel_mean(from, g.c) + all;
            for (int k = 0; k < g.c; k++) {
                to[k] = d.contrast * d.saturation * from[k] + grey;
            }
        } else {
            for (int k = 0; k < g.c; k++) {
                to[k] = 0.0f;
            }
        }
    }
}

// A block makes an image of dx.
extern "C" __global__ void diff_augment_backward(DiffAugment g, const float* dy, const float* drawn, float* dx,
                                                 int accumulate) {
    SHARED(double, scratch, [32]);
    SHARED(double, total, [1]);
    const int size = g.h * g.w * g.c;
    dy += static_cast<u64>(blockIdx.x) * size;
    dx += static_cast<u64>(blockIdx.x) * size;
    const Drawn d = draw(g, drawn + blockIdx.x * 8);
    double sum = 0.0;
    for (int p = threadIdx.x; g.colour && p < g.h * g.w; p += BLOCK) {
        if (comes(g, d, p / g.w, p % g.w)) {
            for (int k = 0; k < g.c; k++) {
                sum += dy[p * g.c + k];
            }
        }
    }
    const float mean = static_cast<float>(sum_of_all(sum, scratch, total) / size);
    const float all = (1.0f - d.contrast) * mean;
    for (int p = threadIdx.x; p < g.h * g.w; p += BLOCK) {
        const int i = p / g.w - d.shift_y, j = p % g.w - d.shift_x;
        const bool reached = comes(g, d, i, j);
        const float* from = dy + (i * g.w + j) * g.c;
        const float grey = reached ? d.contrast * (1.0f - d.saturation) * channel_mean(from, g.c) + all : all;
        for (int k = 0; k < g.c; k++) {
            store(dx + p * g.c + k, reached ? d.contrast * d.saturation * from[k] + grey : grey, accumulate);
        }
    }
}
