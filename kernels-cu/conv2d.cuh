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

// Writes into a line of `length` numbers, of which a tile has those from `first` on; a null line is none. Where the whole
// tile lies within lines of whole quads, pairs are written as they are.
struct Line {
    int length, first, accumulate;
    bool whole;

    __device__ __forceinline__ void one(float* line, int at, float v) const {
        if (line != nullptr && first + at < length) {
            store(line + first + at, v, accumulate);
        }
    }
    __device__ __forceinline__ void two(float* line, int at, float v, float next) const {
        if (!whole) {
            one(line, at, v);
            one(line, at + 1, next);
        } else if (line != nullptr) {
            float2* to = reinterpret_cast<float2*>(line + first + at);
            const float2 old = accumulate ? *to : make_float2(0.0f, 0.0f);
            *to = make_float2(old.x + v, old.y + next);
        }
    }
    __device__ __forceinline__ void four(float* line, int at, float4 v) const {
        if (!whole) {
            one(line, at, v.x);
            one(line, at + 1, v.y);
            one(line, at + 2, v.z);
            one(line, at + 3, v.w);
        } else if (line != nullptr) {
            float4* to = reinterpret_cast<float4*>(line + first + at);
            const float4 old = accumulate ? *to : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
            *to = make_float4(old.x + v.x, old.y + v.y, old.z + v.z, old.w + v.w);
        }
    }
};

__device__ __forceinline__ bool whole_tile(const float* out, int length, int first, int size) {
    return aligned16(out) && length % 4 == 0 && first + size <= length;
}

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
            const int line = across.by_count.of(pixel), image = down.by_count.of(line);
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
    __device__ __forceinline__ Share(int k, int depth, const Conv2d& g) {
        const int steps = (k + depth - 1) / depth, each = g.by_splits.of(steps + g.splits - 1);
        first = min(static_cast<int>(blockIdx.y) * each, steps);
        count = min(each, steps - first);
    }
};

// This block's tile of a product: blockIdx.x counts tiles along the rows, those across first.
template <class Tile>
struct Place {
    int row, column;
    __device__ __forceinline__ Place(const Conv2d& g, int columns) {
        const int tiles = (columns + Tile::N - 1) / Tile::N, down = g.tiles.of(static_cast<int>(blockIdx.x));
        row = down * Tile::M;
        column = (static_cast<int>(blockIdx.x) - down * tiles) * Tile::N;
    }
};

// Where this block's moments go: `parts` has a row of means and one of squared deviations for each tile of `pixels` rows of
// each phase, in order.
template <class Tile>
__device__ __forceinline__ Moments moments_in(float* parts, const Conv2d& g, int pixels, int columns) {
    if (parts == nullptr) {
        return {};
    }
    const Place<Tile> at(g, columns);
    const int part = static_cast<int>(blockIdx.z) * (pixels / Tile::M) + at.row / Tile::M;
    return {parts + static_cast<u64>(part) * 2 * columns, at.column, columns};
}

// Blocks: (tiles of pixels x tiles of channels, channels first; splits; phases). Where `parts` is not null, which takes one split
// and whole tiles of pixels, as many in each phase, it gets the moments of each.
template <class Tile>
__device__ __forceinline__ void conv2d_forward(const Conv2d& g, const float* x, const float* w, float* out, float* parts) {
    const Place<Tile> at(g, g.o);
    const int pixels = g.n * g.oh * g.ow, depth = g.kh * g.kw * g.c;
    const Axis down = forward_axis(g.oh, g.kh, g.sh, g.ph, g.down), across = forward_axis(g.ow, g.kw, g.sw, g.pw, g.across);
    const Share share(depth, Tile::DEPTH, g);
    const int k = share.first * Tile::DEPTH;
    Pixels<Tile::M, Tile::DEPTH, Tile::THREADS> a(x, g.n, g.h, g.w, g.c, g.channels, g.four_x, down, across, at.row, k);
    MatrixRows<Tile::N, Tile::DEPTH, Tile::THREADS> b(w, g.o, depth, g.four_w, at.column, k);
    out += static_cast<u64>(blockIdx.y) * pixels * g.o;
    const Line line{g.o, at.column, g.accumulate, whole_tile(out, g.o, at.column, Tile::N)};
    multiply_tile<Tile>(a, b, share.count, PixelLines{line, out, at.row, pixels, down, across, g.oh, g.ow},
                        [&] { return moments_in<Tile>(parts, g, pixels, g.o); });
}

template <class Tile>
__device__ __forceinline__ void conv2d_backward_input(const Conv2d& g, const float* dy, const float* w, float* out, float* parts) {
    const Place<Tile> at(g, g.c);
    const int phase = static_cast<int>(blockIdx.z), phase_y = g.across.stride.of(phase), phase_x = phase - phase_y * g.sw;
    const Axis down = phase_axis(g.h, g.kh, g.sh, g.ph, phase_y, g.down);
    const Axis across = phase_axis(g.w, g.kw, g.sw, g.pw, phase_x, g.across);
    const int pixels = g.n * down.count * across.count;
    if (at.row >= pixels) {
        return;
    }
    const Share share(down.taps * across.taps * g.o, Tile::DEPTH, g);
    const int k = share.first * Tile::DEPTH;
    Pixels<Tile::M, Tile::DEPTH, Tile::THREADS> a(dy, g.n, g.oh, g.ow, g.o, g.channels, g.four_y, down, across, at.row, k);
    PhaseWeights<Tile::N, Tile::DEPTH, Tile::THREADS> b(w, g, down, across, at.column, k);
    out += static_cast<u64>(blockIdx.y) * g.n * g.h * g.w * g.c;
    const Line line{g.c, at.column, g.accumulate, whole_tile(out, g.c, at.column, Tile::N)};
    multiply_tile<Tile>(a, b, share.count, PixelLines{line, out, at.row, pixels, down, across, g.h, g.w},
                        [&] { return moments_in<Tile>(parts, g, pixels, g.c); });
}

template <class Tile>
__device__ __forceinline__ void conv2d_backward_weight(const Conv2d& g, const float* x, const float* dy, float* out) {
    const Place<Tile> at(g, g.o);
    const int pixels = g.n * g.oh * g.ow, rows = g.kh * g.kw * g.c;
    const Share share(pixels, Tile::DEPTH, g);
    const int k = share.first * Tile::DEPTH;
    TapColumns<Tile::M, Tile::DEPTH, Tile::THREADS> a(x, g, at.row, k);
    MatrixColumns<Tile::N, Tile::DEPTH, Tile::THREADS> b(dy, pixels, g.o, g.four_y, at.column, k);
    out += static_cast<u64>(blockIdx.y) * rows * g.o;
    const Line line{rows, at.row, g.accumulate, whole_tile(out, rows, at.row, Tile::M)};
    multiply_tile<Tile>(a, b, share.count, WeightLines{line, out, at.column, g.o}, [] { return Moments{}; });
}
