// options: --fmad=false
// u8 images to f32 in [-1, 1], flipped, cropped and rotated; see crates/kernels/src/augment.rs. Without contraction, for the CPU's
// bits: with it a pixel at a border could come from its neighbour.
//
// A thread writes four neighbouring elements of an image, whose rows of pixels follow each other in memory: so all stores
// are whole float4, whatever the number of channels. An image has blocks of its own, which draw its flip, crop and rotation once.
#include "philox.cuh"

// What all images of a batch share; `elements` of an image are written by `blocks` blocks. `flip` says whether images are flipped at all.
struct Augment {
    int size, channels, elements, blocks, padding, flip;
    float largest_angle;
};

__device__ __forceinline__ float normalised(u32 v) {
    return __fdiv_rn(static_cast<float>(v), 127.5f) - 1.0f;
}

// The row of the batch that this block writes.
__device__ __forceinline__ u32 row_of_block(const Augment& g) {
    return blockIdx.x / g.blocks;
}

// The first of this thread's four elements of the image, perhaps past its end.
__device__ __forceinline__ int first_of_image(const Augment& g) {
    return static_cast<int>(blockIdx.x % g.blocks * blockDim.x + threadIdx.x) * 4;
}

// out[k] = images[indices[k]].
extern "C" __global__ void augment_normalise(Augment g, const unsigned char* images, const int* indices, float* out) {
    const u64 row = row_of_block(g);
    const int i = first_of_image(g);
    if (i >= g.elements) {
        return;
    }
    const unsigned char* image = images + static_cast<u64>(indices[row]) * g.elements;
    u32 v[4] = {0, 0, 0, 0};
    if (i + 4 <= g.elements && reinterpret_cast<u64>(image) % 4 == 0) {
        const u32 word = *reinterpret_cast<const u32*>(image + i);
        for (int j = 0; j < 4; j++) {
            v[j] = word >> (8 * j) & 0xFF;
        }
    } else {
        for (int j = 0; j < 4 && i + j < g.elements; j++) {
            v[j] = image[i + j];
        }
    }
    const float4 x = make_float4(normalised(v[0]), normalised(v[1]), normalised(v[2]), normalised(v[3]));
    store4(out + row * g.elements, i, g.elements, x, 0);
}

// Whether left and right are exchanged; a crop, by where it begins in the padded image, less the padding; and a rotation.
struct Warp {
    int flipped, x, y;
    float cos, sin;
};

__device__ __forceinline__ Warp draw(const Augment& g, uint4 words) {
    // The upper half of word * 9 is uniform over 0..9 to within 2^-29.
    const u32 offsets = 2 * g.padding + 1;
    const float angle = g.largest_angle * (2.0f * to_unit(words.z) - 1.0f);
    const float square = angle * angle;
    const float cos = 1.0f - square * (0.5f - square * (1.0f / 24.0f - __fdiv_rn(square, 720.0f)));
    const float sin = angle * (1.0f - square * (1.0f / 6.0f - square * (1.0f / 120.0f)));
    return {g.flip && words.w >> 31, static_cast<int>(__umulhi(words.x, offsets)) - g.padding,
            static_cast<int>(__umulhi(words.y, offsets)) - g.padding, cos, sin};
}

// The pixel of the image that shows at (column, row) of the result; -1 outside of the crop and in its padding.
__device__ __forceinline__ int source(const Augment& g, const Warp& warp, int column, int row) {
    const float size = static_cast<float>(g.size), centre = size / 2.0f;
    const float x = static_cast<float>(column) + 0.5f - centre, y = static_cast<float>(row) + 0.5f - centre;
    const float u = warp.cos * x - warp.sin * y + centre, v = warp.sin * x + warp.cos * y + centre;
    if (!(u >= 0.0f && u < size && v >= 0.0f && v < size)) {
        return -1;
    }
    const int from_x = static_cast<int>(u) + warp.x, from_y = static_cast<int>(v) + warp.y;
    const int column_of_image = warp.flipped ? g.size - 1 - from_x : from_x;
    return from_x >= 0 && from_x < g.size && from_y >= 0 && from_y < g.size ? from_y * g.size + column_of_image : -1;
}

// The same flipped, cropped after padding and rotated about the centre, black outside; the image of row k is sample `first` + k.
extern "C" __global__ void augment_crop_and_rotate(Augment g, u64 seed, u64 stream, const u32* first,
                                                   const unsigned char* images, const int* indices, float* out) {
    SHARED(Warp, drawn, [1]);
    const u64 row = row_of_block(g);
    if (threadIdx.x == 0) {
        const Philox philox = {seed, stream, 0};
        drawn[0] = draw(g, philox_block(philox, (static_cast<u64>(first[1]) << 32 | first[0]) + row));
    }
    __syncthreads();
    const int i = first_of_image(g);
    if (i >= g.elements) {
        return;
    }
    const Warp warp = drawn[0];
    const unsigned char* image = images + static_cast<u64>(indices[row]) * g.elements;
    const int pixel = i / g.channels;
    int x = pixel % g.size, y = pixel / g.size, c = i - pixel * g.channels;
    int from = source(g, warp, x, y);
    // Past the end of the image they are of some pixel, and not stored.
    float values[4];
    for (int j = 0; j < 4; j++) {
        values[j] = normalised(from < 0 ? 0 : image[from * g.channels + c]);
        if (++c == g.channels) {
            c = 0;
            if (++x == g.size) {
                x = 0;
                y++;
            }
            from = source(g, warp, x, y);
        }
    }
    store4(out + row * g.elements, i, g.elements, make_float4(values[0], values[1], values[2], values[3]), 0);
}
