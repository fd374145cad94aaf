// Convolution as matrix products over NHWC memory, without a copy of the input; see crates/kernels/src/conv2d/mod.rs.
//
//   forward          y[pixel][o] = sum over k = (tap, c) of x[pixel under tap][c] w[o][k]
//   backward_input   the same over dy for each phase of the stride, whose pixels receive from the same taps:
//                    dx[pixel][c] = sum over k = (tap, o) of dy[pixel that tap leads to][o] w[o][tap][c]
//   backward_weight  dw[o][(tap, c)] = sum over k = pixel of x[pixel under tap][c] dy[pixel][o]
//
// k may be split: then each split writes a partial result of its own, and conv2d_join adds them in order. No
// operand has 2^31 numbers, so that places in one are int. A linear layer
// is a convolution of images of one pixel, and its passes are the products A B^T, A B, and A^T B.
#pragma once
#include "conv2d_operands.cuh"

// Writes into a line of `length` numbers, of which a tile has those from `first` on; a null line is none.
struct Line {
    int length, first, accumulate;

    __device__ __forceinline__ void one(float* line, int at, float v) const {
        if (line != nullptr && first + at < length) {
            store(line + first + at, v, accumulate);
        }
    }
    __device__ __forceinline__ void two(float* line, int at, float v, float next) const {
        float* to = line + first + at;
        if (line == nullptr || first + at + 1 >= length || (reinterpret_cast<u64>(to) & 7) != 0) {
            one(line, at, v);
            one(line, at + 1, next);
            return;
        }
        float2 old = make_float2(0.0f, 0.0f);
        if (accumulate) {
            old = *reinterpret_cast<float2*>(to);
        }
        *reinterpret_cast<float2*>(to) = make_float2(old.x + v, old.y + next);
    }
    __device__ __forceinline__ void four(float* line, int at, float4 v) const {
        if (line != nullptr) {
            store4(line, first + at, length, v, accumulate);
        }
    }
};

// Lines are the pixels of a phase.
struct PixelLines : Line {
    static constexpr bool TRANSPOSED = false;
    float* out;
    int first_pixel, pixels;
    Axis down, across;
    int h, w;

    __device__ __forceinline__ float* line(int row) const {
        int pixel = first_pixel + row;
        if (pixel >= pixels) {
            return nullptr;
        }
        // Where the phase is all of the image, its pixels are the image's.
        if (down.pitch > 1 || across.pitch > 1) {
            const int line = pixel / across.count, image = line / down.count;
            const int y = (line - image * down.count) * down.pitch + down.first;
            pixel = (image * h + y) * w + (pixel - line * across.count) * across.pitch + across.first;
        }
        return out + pixel * length;
    }
};

// Lines are the output channels of dw[o][(tap, c)], the columns of the tile.
struct WeightLines : Line {
    static constexpr bool TRANSPOSED = true;
    float* out;
    int first_channel, channels;

    __device__ __forceinline__ float* line(int column) const {
        return first_channel + column < channels ? out + (first_channel + column) * length : nullptr;
    }
};

// This block's share of the steps along k: split blockIdx.y of g.splits.
struct Share {
    int first, count;
    __device__ __forceinline__ Share(int k, int depth, int splits) {
        const int steps = (k + depth - 1) / depth, each = (steps + splits - 1) / splits;
        first = min(static_cast<int>(blockIdx.y) * each, steps);
        count = min(each, steps - first);
    }
};

// Blocks: (tiles of pixels x tiles of channels, channels first; splits; phases).
template <class Tile>
__device__ __forceinline__ void conv2d_forward(const Conv2d& g, const float* x, const float* w, float* out) {
    const int tiles = (g.o + Tile::N - 1) / Tile::N;
    const int row = static_cast<int>(blockIdx.x) / tiles * Tile::M, column = static_cast<int>(blockIdx.x) % tiles * Tile::N;
    const int pixels = g.n * g.oh * g.ow, depth = g.kh * g.kw * g.c;
    const Axis down = forward_axis(g.oh, g.kh, g.sh, g.ph), across = forward_axis(g.ow, g.kw, g.sw, g.pw);
    const Share share(depth, Tile::DEPTH, g.splits);
    Pixels<Tile::M, Tile::DEPTH, Tile::THREADS> a(x, g.n, g.h, g.w, g.c, g.four_x, down, across, row, share.first * Tile::DEPTH);
    MatrixRows<Tile::N, Tile::DEPTH, Tile::THREADS> b(w, g.o, depth, g.four_w, column, share.first * Tile::DEPTH);
    out += static_cast<u64>(blockIdx.y) * pixels * g.o;
    multiply_tile<Tile>(a, b, share.count, PixelLines{{g.o, column, g.accumulate}, out, row, pixels, down, across, g.oh, g.ow});
}

template <class Tile>
__device__ __forceinline__ void conv2d_backward_input(const Conv2d& g, const float* dy, const float* w, float* out) {
    const int tiles = (g.c + Tile::N - 1) / Tile::N;
    const int row = static_cast<int>(blockIdx.x) / tiles * Tile::M, column = static_cast<int>(blockIdx.x) % tiles * Tile::N;
    const int phase = static_cast<int>(blockIdx.z);
    const Axis down = phase_axis(g.h, g.kh, g.sh, g.ph, phase / g.sw), across = phase_axis(g.w, g.kw, g.sw, g.pw, phase % g.sw);
    const int pixels = g.n * down.count * across.count;
    if (row >= pixels) {
        return;
    }
    const Share share(down.taps * across.taps * g.o, Tile::DEPTH, g.splits);
    Pixels<Tile::M, Tile::DEPTH, Tile::THREADS> a(dy, g.n, g.oh, g.ow, g.o, g.four_y, down, across, row, share.first * Tile::DEPTH);
    PhaseWeights<Tile::N, Tile::DEPTH, Tile::THREADS> b(w, g, down, across, column, share.first * Tile::DEPTH);
    out += static_cast<u64>(blockIdx.y) * g.n * g.h * g.w * g.c;
    multiply_tile<Tile>(a, b, share.count, PixelLines{{g.c, column, g.accumulate}, out, row, pixels, down, across, g.h, g.w});
}

template <class Tile>
__device__ __forceinline__ void conv2d_backward_weight(const Conv2d& g, const float* x, const float* dy, float* out) {
    const int tiles = (g.o + Tile::N - 1) / Tile::N;
    const int row = static_cast<int>(blockIdx.x) / tiles * Tile::M, column = static_cast<int>(blockIdx.x) % tiles * Tile::N;
    const int pixels = g.n * g.oh * g.ow, rows = g.kh * g.kw * g.c;
    const Share share(pixels, Tile::DEPTH, g.splits);
    TapColumns<Tile::M, Tile::DEPTH, Tile::THREADS> a(x, g, row, share.first * Tile::DEPTH);
    MatrixColumns<Tile::N, Tile::DEPTH, Tile::THREADS> b(dy, pixels, g.o, g.four_y, column, share.first * Tile::DEPTH);
    out += static_cast<u64>(blockIdx.y) * rows * g.o;
    multiply_tile<Tile>(a, b, share.count, WeightLines{{rows, row, g.accumulate}, out, column, g.o});
}
