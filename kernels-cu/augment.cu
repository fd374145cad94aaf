// options: --fmad=false
// u8 images to f32 in [-1, 1], cropped and rotated; see crates/kernels/src/augment.rs. Without contraction, for the CPU's
// bits.
#include "philox.cuh"

// What all images of a batch share.
struct Augment {
    int n, size, channels, padding;
    float largest_angle;
};

__device__ __forceinline__ float normalised(unsigned char v) {
    return __fdiv_rn(static_cast<float>(v), 127.5f) - 1.0f;
}

// The pixel of this thread; pixels are counted over the whole batch.
__device__ __forceinline__ u64 pixel_of_thread() {
    return static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// out[k] = images[indices[k]], a thread a pixel.
extern "C" __global__ void augment_normalise(Augment g, const unsigned char* images, const int* indices, float* out) {
    const u64 pixel = pixel_of_thread(), area = static_cast<u64>(g.size) * g.size;
    if (pixel >= area * g.n) {
        return;
    }
    const u64 from = indices[pixel / area] * area + pixel % area;
    for (int c = 0; c < g.channels; c++) {
        out[pixel * g.channels + c] = normalised(images[from * g.channels + c]);
    }
}

// The same cropped after padding and rotated about the centre, black outside; the image of row k is sample `first` + k.
extern "C" __global__ void augment_crop_and_rotate(Augment g, u64 seed, u64 stream, const u32* first,
                                                   const unsigned char* images, const int* indices, float* out) {
    const u64 pixel = pixel_of_thread(), area = static_cast<u64>(g.size) * g.size;
    if (pixel >= area * g.n) {
        return;
    }
    const u64 row = pixel / area;
    const int i = static_cast<int>(pixel % area);
    const Philox philox = {seed, stream, 0};
    const u64 sample = (static_cast<u64>(first[1]) << 32 | first[0]) + row;
    const uint4 words = philox_block(philox, sample);
    const int crop_x = static_cast<int>(__umulhi(words.x, 2 * g.padding + 1));
    const int crop_y = static_cast<int>(__umulhi(words.y, 2 * g.padding + 1));
    const float angle = g.largest_angle * (2.0f * to_unit(words.z) - 1.0f);
    const float square = angle * angle;
    const float cos = 1.0f - square * (0.5f - square * (1.0f / 24.0f - __fdiv_rn(square, 720.0f)));
    const float sin = angle * (1.0f - square * (1.0f / 6.0f - square * (1.0f / 120.0f)));
    const float centre = static_cast<float>(g.size) / 2.0f, size = static_cast<float>(g.size);
    const float x = static_cast<float>(i % g.size) + 0.5f - centre, y = static_cast<float>(i / g.size) + 0.5f - centre;
    const float u = cos * x - sin * y + centre, v = sin * x + cos * y + centre;
    int from_x = -1, from_y = -1;
    if (u >= 0.0f && u < size && v >= 0.0f && v < size) {
        from_x = static_cast<int>(u) + crop_x - g.padding;
        from_y = static_cast<int>(v) + crop_y - g.padding;
    }
    const bool inside = from_x >= 0 && from_x < g.size && from_y >= 0 && from_y < g.size;
    const u64 from = inside ? indices[row] * area + static_cast<u64>(from_y) * g.size + from_x : 0;
    for (int c = 0; c < g.channels; c++) {
        out[pixel * g.channels + c] = normalised(inside ? images[from * g.channels + c] : 0);
    }
}
