// What a convolution's products multiply: the geometry, and a loader for each operand that copies a block's tile of it
// into shared memory, step by step along k; see conv2d.cuh.
#pragma once
#include "implicit_gemm.cuh"

struct Conv2d {
    int n, h, w, c, o, kh, kw, sh, sw, ph, pw, oh, ow;
    int four_x, four_w, four_y;  // whether four channels of x, of w, of y lie in 16 aligned bytes
    int splits, accumulate;
    u32 ow_magic, ow_shift, oh_magic, oh_shift;
};

// n / d for n < 2^31 (Granlund and Montgomery 1994, section 4); magic and shift are d's.
__device__ __forceinline__ int divide(int n, u32 magic, u32 shift) {
    return static_cast<int>((__umulhi(n, magic) + static_cast<u32>(n)) >> shift);
}

// One axis of the pixels that share taps: pixel i of `count` is pixel first + i * pitch of the image, and tap t of
// `taps`, which is the kernel's tap_first + t * tap_pitch, reads source pixel i * stride + source + t * direction.
struct Axis {
    int count, first, pitch, stride, source, direction, taps, tap_first, tap_pitch;
};

__device__ __forceinline__ Axis forward_axis(int out, int kernel, int stride, int padding) {
    return {out, 0, 1, stride, -padding, 1, kernel, 0, 1};
}

// Pixels i of `size` with (i + padding) % stride == phase receive from taps phase, phase + stride, .. only: tap k from
// output pixel (i + padding - k) / stride.
__device__ __forceinline__ Axis phase_axis(int size, int kernel, int stride, int padding, int phase) {
    const int first = (phase + stride - padding % stride) % stride;
    const int count = first < size ? (size - first + stride - 1) / stride : 0;
    const int taps = phase < kernel ? (kernel - phase + stride - 1) / stride : 0;
    return {count, first, stride, 1, (first + padding - phase) / stride, -1, taps, phase, stride};
}

// k = (tap, channel), as it is walked along.
struct TapWalk {
    int channel, x, y;

    __device__ __forceinline__ TapWalk(int k, int channels, int across) {
        const int tap = k / channels;
        channel = k - tap * channels;
        y = tap / across;
        x = tap - y * across;
    }
    __device__ __forceinline__ void advance(int by, int channels, int across) {
        channel += by;
        while (channel >= channels) {
            channel -= channels;
            x++;
            if (x == across) {
                x = 0;
                y++;
            }
        }
    }
};

// A block's loader of a tile of ROWS x DEPTH along k: thread t has quad t % QUADS of rows t / QUADS, and every STEPth on.
template <int ROWS, int DEPTH, int THREADS>
struct DepthSlots {
    typedef AlongDepth<ROWS, DEPTH> Layout;
    static constexpr int QUADS = DEPTH / 4, STEP = THREADS / QUADS, COUNT = (ROWS + STEP - 1) / STEP;
    int quad, row;
    __device__ __forceinline__ DepthSlots() : quad(threadIdx.x % QUADS), row(threadIdx.x / QUADS) {}
    // Where slot i goes; a tile may be smaller than the block.
    __device__ __forceinline__ int row_of(int i) const { return row + i * STEP; }
    __device__ __forceinline__ bool has(int i) const { return ROWS % STEP == 0 || row_of(i) < ROWS; }
    __device__ __forceinline__ float4* to(float4* tile, int i) const { return tile + Layout::at(row_of(i), quad); }
};

// The same along rows: thread t has quad t % QUADS of k = t / QUADS, and every STEPth on.
template <int ROWS, int DEPTH, int THREADS>
struct RowSlots {
    typedef AlongRows<ROWS, DEPTH> Layout;
    static constexpr int QUADS = ROWS / 4, STEP = THREADS / QUADS, COUNT = (DEPTH + STEP - 1) / STEP;
    int quad, k;
    __device__ __forceinline__ RowSlots() : quad(threadIdx.x % QUADS), k(threadIdx.x / QUADS) {}
    __device__ __forceinline__ int k_of(int i) const { return k + i * STEP; }
    __device__ __forceinline__ bool has(int i) const { return DEPTH % STEP == 0 || k_of(i) < DEPTH; }
    __device__ __forceinline__ float4* to(float4* tile, int i) const { return tile + Layout::at(k_of(i), quad); }
};

// Copies elements e of a quad for which valid(e), from from(e); all at once where they are neighbours (`four`).
template <class Valid, class From>
__device__ __forceinline__ void copy_quad(float4* to, int four, Valid valid, From from) {
    if (four) {
        const bool is = valid(0);
        cp_async_cached(to, is ? from(0) : nullptr, is);
        return;
    }
    UNROLL_BY(1)
    for (int e = 0; e < 4; e++) {
        const bool is = valid(e);
        cp_async<4>(reinterpret_cast<float*>(to) + e, is ? from(e) : nullptr, is);
    }
}

// Pixels by k = (tap, channel): what the pixels of a phase read.
template <int ROWS, int DEPTH, int THREADS>
struct Pixels : DepthSlots<ROWS, DEPTH, THREADS> {
    typedef DepthSlots<ROWS, DEPTH, THREADS> Slots;
    const float* x;
    int h, w, c, four, taps_y, taps_x, direction;
    int base[Slots::COUNT], y0[Slots::COUNT], x0[Slots::COUNT];
    TapWalk walk;

    __device__ __forceinline__ Pixels(const float* x, int n, int h, int w, int c, int four, const Axis& down,
                                      const Axis& across, int first, int k)
        : x(x), h(h), w(w), c(c), four(four), taps_y(down.taps), taps_x(across.taps), direction(down.direction),
          walk(k + this->quad * 4, c, max(across.taps, 1)) {
        const int pixels = n * down.count * across.count;
        UNROLL
        for (int i = 0; i < Slots::COUNT; i++) {
            const int pixel = first + this->row_of(i);
            const int line = pixel / across.count, image = line / down.count;
            y0[i] = (line - image * down.count) * down.stride + down.source;
            x0[i] = (pixel - line * across.count) * across.stride + across.source;
            base[i] = (image * h + y0[i]) * w + x0[i];
            if (pixel >= pixels) {
                y0[i] = -0x10000000;  // outside of the image under any tap
            }
        }
    }

    __device__ __forceinline__ void copy(float4* tile, const TapWalk& at, int offset, bool whole) const {
        const int dy = at.y * direction, dx = at.x * direction, step = dy * w + dx;
        const bool within = at.y < taps_y;
        UNROLL
        for (int i = 0; i < Slots::COUNT; i++) {
            if (!this->has(i)) {
                continue;
            }
            const bool valid = within && static_cast<u32>(y0[i] + dy) < static_cast<u32>(h) &&
                               static_cast<u32>(x0[i] + dx) < static_cast<u32>(w);
            const float* from = valid ? x + ((base[i] + step) * c + at.channel) : nullptr;
            if (whole) {
                cp_async_cached(this->to(tile, i), from, valid);
            } else {
                cp_async<4>(reinterpret_cast<float*>(this->to(tile, i)) + offset, from, valid);
            }
        }
    }

    __device__ __forceinline__ void load(float4* tile) {
        if (four) {
            copy(tile, walk, 0, true);
            walk.advance(DEPTH, c, taps_x);
            return;
        }
        TapWalk element = walk;
        UNROLL_BY(1)
        for (int e = 0; e < 4; e++) {
            copy(tile, element, e, false);
            element.advance(1, c, taps_x);
        }
        walk.advance(DEPTH, c, taps_x);
    }
};

// Rows of a matrix [rows][depth] by k: the weights of the forward pass.
template <int ROWS, int DEPTH, int THREADS>
struct MatrixRows : DepthSlots<ROWS, DEPTH, THREADS> {
    const float* matrix;
    int rows, depth, four, first, k;

    __device__ __forceinline__ MatrixRows(const float* matrix, int rows, int depth, int four, int first, int k)
        : matrix(matrix), rows(rows), depth(depth), four(four), first(first), k(k + this->quad * 4) {}

    __device__ __forceinline__ void load(float4* tile) {
        UNROLL
        for (int i = 0; i < MatrixRows::COUNT; i++) {
            const int row = first + this->row_of(i);
            if (this->has(i)) {
                copy_quad(this->to(tile, i), four, [&](int e) { return row < rows && k + e < depth; },
                          [&](int e) { return matrix + (row * depth + k + e); });
            }
        }
        k += DEPTH;
    }
};

// Columns of a matrix [depth][columns], four neighbours of a row at a time: dy by k = pixel.
template <int ROWS, int DEPTH, int THREADS>
struct MatrixColumns : RowSlots<ROWS, DEPTH, THREADS> {
    const float* matrix;
    int depth, columns, four, column, k0;

    __device__ __forceinline__ MatrixColumns(const float* matrix, int depth, int columns, int four, int first, int k)
        : matrix(matrix), depth(depth), columns(columns), four(four), column(first + this->quad * 4), k0(k) {}

    __device__ __forceinline__ void load(float4* tile) {
        UNROLL
        for (int i = 0; i < MatrixColumns::COUNT; i++) {
            const int k = k0 + this->k_of(i);
            if (this->has(i)) {
                copy_quad(this->to(tile, i), four, [&](int e) { return k < depth && column + e < columns; },
                          [&](int e) { return matrix + (k * columns + column + e); });
            }
        }
        k0 += DEPTH;
    }
};

// Weights w[o][tap][c] by k = (tap of the phase, o), four neighbours in c at a time.
template <int ROWS, int DEPTH, int THREADS>
struct PhaseWeights : RowSlots<ROWS, DEPTH, THREADS> {
    const float* w;
    Axis down, across;
    int o, c, kernel, kernel_w, four, column;
    TapWalk walk;

    __device__ __forceinline__ PhaseWeights(const float* w, const Conv2d& g, const Axis& down, const Axis& across,
                                            int first, int k)
        : w(w), down(down), across(across), o(g.o), c(g.c), kernel(g.kh * g.kw), kernel_w(g.kw), four(g.four_w),
          column(first + this->quad * 4), walk(k + this->k, g.o, max(across.taps, 1)) {}

    __device__ __forceinline__ void load(float4* tile) {
        TapWalk at = walk;
        UNROLL
        for (int i = 0; i < PhaseWeights::COUNT; i++) {
            if (this->has(i)) {
                const int tap = (down.tap_first + at.y * down.tap_pitch) * kernel_w + across.tap_first + at.x * across.tap_pitch;
                copy_quad(this->to(tile, i), four, [&](int e) { return at.y < down.taps && column + e < c; },
                          [&](int e) { return w + ((at.channel * kernel + tap) * c + column + e); });
            }
            at.advance(PhaseWeights::STEP, o, across.taps);
        }
        walk.advance(DEPTH, o, across.taps);
    }
};

// x by k = pixel of y, four neighbours of (tap, c) at a time: what the pixel reads under the tap.
template <int ROWS, int DEPTH, int THREADS>
struct TapColumns : RowSlots<ROWS, DEPTH, THREADS> {
    const float* x;
    const Conv2d& g;
    int pixels, k0;
    int tap_y[4], tap_x[4], channel[4];

    __device__ __forceinline__ TapColumns(const float* x, const Conv2d& g, int first, int k)
        : x(x), g(g), pixels(g.n * g.oh * g.ow), k0(k) {
        UNROLL
        for (int e = 0; e < 4; e++) {
            const TapWalk walk(first + this->quad * 4 + e, g.c, g.kw);
            // A row past the last reads nothing: no padding is this large.
            tap_y[e] = walk.y < g.kh ? walk.y - g.ph : -0x10000000;
            tap_x[e] = walk.x - g.pw;
            channel[e] = walk.channel;
        }
    }

    __device__ __forceinline__ void load(float4* tile) {
        UNROLL
        for (int i = 0; i < TapColumns::COUNT; i++) {
            const int pixel = k0 + this->k_of(i);
            if (!this->has(i)) {
                continue;
            }
            const int line = divide(pixel, g.ow_magic, g.ow_shift), image = divide(line, g.oh_magic, g.oh_shift);
            const int y = (line - image * g.oh) * g.sh, left = (pixel - line * g.ow) * g.sw;
            UNROLL
            for (int e = 0; e < 4; e++) {
                const int sy = y + tap_y[e], sx = left + tap_x[e];
                const bool valid = pixel < pixels && static_cast<u32>(sy) < static_cast<u32>(g.h) &&
                                   static_cast<u32>(sx) < static_cast<u32>(g.w);
                const float* from = valid ? x + (((image * g.h + sy) * g.w + sx) * g.c + channel[e]) : nullptr;
                if (g.four_x) {
                    cp_async_cached(this->to(tile, i), from, valid);
                    break;
                }
                cp_async<4>(reinterpret_cast<float*>(this->to(tile, i)) + e, from, valid);
            }
        }
        k0 += DEPTH;
    }
};
