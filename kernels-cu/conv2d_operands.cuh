// What a convolution's products multiply: the geometry, and a loader for each operand that copies a block's tile of it
// into shared memory, step by step along k; see conv2d.cuh.
#pragma once
#include "implicit_gemm.cuh"

// Divides n < 2^31 by multiplication (Granlund and Montgomery 1994, section 4).
struct Divisor {
    u32 magic, shift;

    __device__ __forceinline__ int of(int n) const {
        return static_cast<int>((__umulhi(n, magic) + static_cast<u32>(n)) >> shift);
    }
};

// Along one axis: by the stride, by how many pixels there are, and by how many taps. In backward_input by those of a phase
// that has more of them, and of one that has fewer.
struct AxisDivisors {
    Divisor stride, pixels[2], taps[2];
};

struct Conv2d {
    int n, h, w, c, o, kh, kw, sh, sw, ph, pw, oh, ow;
    int four_x, four_w, four_y;  // whether four channels of x, of w, of y lie in 16 aligned bytes
    int splits, accumulate;
    AxisDivisors down, across;
    Divisor channels, tiles, by_splits;  // of k = (tap, channel); tiles across the product
};

// One axis of the pixels that share taps: pixel i of `count` is pixel first + i * pitch of the image, and tap t of
// `taps`, which is the kernel's tap_first + t * tap_pitch, reads source pixel i * stride + source + t * direction.
struct Axis {
    int count, first, pitch, stride, source, direction, taps, tap_first, tap_pitch;
    Divisor by_count, by_taps;
};

__device__ __forceinline__ Axis forward_axis(int out, int kernel, int stride, int padding, const AxisDivisors& by) {
    return {out, 0, 1, stride, -padding, 1, kernel, 0, 1, by.pixels[0], by.taps[0]};
}

// Pixels i of `size` with (i + padding) % stride == phase receive from taps phase, phase + stride, .. only: tap k from
// output pixel (i + padding - k) / stride.
__device__ __forceinline__ Axis phase_axis(int size, int kernel, int stride, int padding, int phase, const AxisDivisors& by) {
    const int behind = phase + stride - padding + by.stride.of(padding) * stride;
    const int first = behind - by.stride.of(behind) * stride;
    const int count = first < size ? by.stride.of(size - first + stride - 1) : 0;
    const int taps = phase < kernel ? by.stride.of(kernel - phase + stride - 1) : 0;
    const int fewer_pixels = count * stride < size, fewer_taps = taps * stride < kernel;
    return {count, first, stride, 1, by.stride.of(first + padding - phase), -1, taps, phase, stride,
            by.pixels[fewer_pixels], by.taps[fewer_taps]};
}

// k = (tap, channel), as it is walked along.
struct TapWalk {
    int channel, x, y;

    __device__ __forceinline__ TapWalk(int k, int channels, Divisor by_channels, int across, Divisor by_across) {
        const int tap = by_channels.of(k);
        channel = k - tap * channels;
        y = by_across.of(tap);
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
    static_assert(STEP % 8 == 0, "a thread's rows are swizzled alike");
    int quad, row, place;
    __device__ __forceinline__ DepthSlots()
        : quad(threadIdx.x % QUADS), row(threadIdx.x / QUADS), place(Layout::at(row, quad)) {}
    // Where slot i goes; a tile may be smaller than the block.
    __device__ __forceinline__ bool has(int i) const { return ROWS % STEP == 0 || row + i * STEP < ROWS; }
    __device__ __forceinline__ float4* to(float4* tile, int i) const { return tile + place + i * STEP * QUADS; }
};

// The same along rows: thread t has quad t % QUADS of k = t / QUADS, and every STEPth on.
template <int ROWS, int DEPTH, int THREADS>
struct RowSlots {
    typedef AlongRows<ROWS, DEPTH> Layout;
    static constexpr int QUADS = ROWS / 4, STEP = THREADS / QUADS, COUNT = (DEPTH + STEP - 1) / STEP;
    static_assert((STEP & (STEP - 1)) == 0 && (QUADS > 4 || COUNT == 1), "a slot's k swizzles by bits that its first has not");
    int quad, k, place;
    __device__ __forceinline__ RowSlots()
        : quad(threadIdx.x % QUADS), k(threadIdx.x / QUADS), place(Layout::at(k, quad)) {}
    __device__ __forceinline__ bool has(int i) const { return DEPTH % STEP == 0 || k + i * STEP < DEPTH; }
    __device__ __forceinline__ float4* to(float4* tile, int i) const {
        return tile + (place ^ (i * STEP >> 2 & 3) << 1) + i * STEP * QUADS;
    }
};

// Copies the elements e of a quad for which valid(e), from place(e) of `from`, one by one. What is not valid is not read, so
// its place may be anything.
template <class Valid, class Place>
__device__ __forceinline__ void copy_each(float4* to, const float* from, Valid valid, Place place) {
    UNROLL_BY(1)
    for (int e = 0; e < 4; e++) {
        cp_async<4>(reinterpret_cast<float*>(to) + e, from + place(e), valid(e));
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

    __device__ __forceinline__ Pixels(const float* x, int n, int h, int w, int c, Divisor by_c, int four, const Axis& down,
                                      const Axis& across, int first, int k)
        : x(x), h(h), w(w), c(c), four(four), taps_y(down.taps), taps_x(across.taps), direction(down.direction),
          walk(k + this->quad * 4, c, by_c, max(across.taps, 1), across.by_taps) {
        const int pixels = n * down.count * across.count;
        UNROLL
        for (int i = 0; i < Slots::COUNT; i++) {
            const int pixel = first + this->row + i * Slots::STEP;
            const int line = across.by_count.of(pixel), image = down.by_count.of(line);
            y0[i] = (line - image * down.count) * down.stride + down.source;
            x0[i] = (pixel - line * across.count) * across.stride + across.source;
            base[i] = ((image * h + y0[i]) * w + x0[i]) * c;
            if (pixel >= pixels || !this->has(i)) {
                y0[i] = -0x10000000;  // outside of the image under any tap
            }
        }
    }

    __device__ __forceinline__ void copy(float4* tile, const TapWalk& at, int offset, bool whole) const {
        const int dy = at.y * direction, dx = at.x * direction, step = (dy * w + dx) * c + at.channel;
        const bool within = at.y < taps_y;
        UNROLL
        for (int i = 0; i < Slots::COUNT; i++) {
            const bool valid = within && static_cast<u32>(y0[i] + dy) < static_cast<u32>(h) &&
                               static_cast<u32>(x0[i] + dx) < static_cast<u32>(w);
            const float* from = x + (base[i] + step);
            if (!this->has(i)) {
                continue;
            }
            if (whole) {
                cp_async<16, true>(this->to(tile, i), from, valid);
            } else {
                cp_async<4>(reinterpret_cast<float*>(this->to(tile, i)) + offset, from, valid);
            }
        }
    }

    __device__ __forceinline__ void load(float4* tile) {
        if (four) {
            copy(tile, walk, 0, true);
        } else {
            TapWalk element = walk;
            UNROLL_BY(1)
            for (int e = 0; e < 4; e++) {
                copy(tile, element, e, false);
                element.advance(1, c, taps_x);
            }
        }
        walk.advance(DEPTH, c, taps_x);
    }
};

// Rows of a matrix [rows][depth] by k: the weights of the forward pass.
template <int ROWS, int DEPTH, int THREADS>
struct MatrixRows : DepthSlots<ROWS, DEPTH, THREADS> {
    const float* matrix;
    int rows, depth, four, k, base;

    __device__ __forceinline__ MatrixRows(const float* matrix, int rows, int depth, int four, int first, int k)
        : matrix(matrix), rows(rows - first - this->row), depth(depth), four(four), k(k + this->quad * 4),
          base((first + this->row) * depth + k + this->quad * 4) {}

    __device__ __forceinline__ void load(float4* tile) {
        UNROLL
        for (int i = 0; i < MatrixRows::COUNT; i++) {
            const int row = i * MatrixRows::STEP, place = base + row * depth;
            if (!this->has(i)) {
                continue;
            }
            if (four) {
                cp_async<16, true>(this->to(tile, i), matrix + place, row < rows && k < depth);
            } else {
                copy_each(this->to(tile, i), matrix, [&](int e) { return row < rows && k + e < depth; },
                          [&](int e) { return place + e; });
            }
        }
        k += DEPTH;
        base += DEPTH;
    }
};

// Columns of a matrix [depth][columns], four neighbours of a row at a time: dy by k = pixel.
template <int ROWS, int DEPTH, int THREADS>
struct MatrixColumns : RowSlots<ROWS, DEPTH, THREADS> {
    const float* matrix;
    int columns, four, left, within, base;  // rows left from this thread's first on, columns from its quad's on

    __device__ __forceinline__ MatrixColumns(const float* matrix, int depth, int columns, int four, int first, int k)
        : matrix(matrix), columns(columns), four(four), left(depth - k - this->k), within(columns - first - this->quad * 4),
          base((k + this->k) * columns + first + this->quad * 4) {}

    __device__ __forceinline__ void load(float4* tile) {
        UNROLL
        for (int i = 0; i < MatrixColumns::COUNT; i++) {
            const int row = i * MatrixColumns::STEP, place = base + row * columns;
            if (!this->has(i)) {
                continue;
            }
            if (four) {
                cp_async<16, true>(this->to(tile, i), matrix + place, row < left && within > 0);
            } else {
                copy_each(this->to(tile, i), matrix, [&](int e) { return row < left && e < within; },
                          [&](int e) { return place + e; });
            }
        }
        left -= DEPTH;
        base += DEPTH * columns;
    }
};

// Weights w[o][tap][c] by k = (tap of the phase, o), four neighbours in c at a time.
template <int ROWS, int DEPTH, int THREADS>
struct PhaseWeights : RowSlots<ROWS, DEPTH, THREADS> {
    const float* w;
    int tap_first, tap_down, tap_across, taps_y, taps_x;
    int o, c, filter, four, column;  // c numbers a tap, `filter` an o
    TapWalk walk;

    __device__ __forceinline__ PhaseWeights(const float* w, const Conv2d& g, const Axis& down, const Axis& across,
                                            int first, int k)
        : w(w), tap_first(down.tap_first * g.kw + across.tap_first), tap_down(down.tap_pitch * g.kw),
          tap_across(across.tap_pitch), taps_y(down.taps), taps_x(across.taps), o(g.o), c(g.c), filter(g.kh * g.kw * g.c),
          four(g.four_w), column(first + this->quad * 4),
          walk(k + this->k, g.o, g.channels, max(across.taps, 1), across.by_taps) {}

    __device__ __forceinline__ void load(float4* tile) {
        TapWalk at = walk;
        // With whole steps in a tap it changes between steps only.
        const bool same = o % DEPTH == 0;
        UNROLL
        for (int i = 0; i < PhaseWeights::COUNT; i++) {
            const int place = at.channel * filter + (tap_first + at.y * tap_down + at.x * tap_across) * c + column;
            const bool within = at.y < taps_y;
            if (this->has(i)) {
                if (four) {
                    cp_async<16, true>(this->to(tile, i), w + place, within && column < c);
                } else {
                    copy_each(this->to(tile, i), w, [&](int e) { return within && column + e < c; },
                              [&](int e) { return place + e; });
                }
            }
            if (same) {
                at.channel += PhaseWeights::STEP;
            } else {
                at.advance(PhaseWeights::STEP, o, taps_x);
            }
        }
        walk.advance(DEPTH, o, taps_x);
    }
};

// x by k = pixel of y, four neighbours of (tap, c) at a time: what the pixel reads under the tap.
template <int ROWS, int DEPTH, int THREADS>
struct TapColumns : RowSlots<ROWS, DEPTH, THREADS> {
    const float* x;
    const Conv2d& g;
    int pixels, k0;

    // Where the tap of a row reads, if it is one.
    struct Tap {
        int y, x, channel;
        bool is;
    };
    Tap taps[4];

    __device__ __forceinline__ TapColumns(const float* x, const Conv2d& g, int first, int k)
        : x(x), g(g), pixels(g.n * g.oh * g.ow), k0(k + this->k) {
        UNROLL
        for (int e = 0; e < 4; e++) {
            const TapWalk walk(first + this->quad * 4 + e, g.c, g.channels, g.kw, g.across.taps[0]);
            taps[e] = {walk.y - g.ph, walk.x - g.pw, walk.channel, walk.y < g.kh};
        }
    }

    __device__ __forceinline__ void load(float4* tile) {
        // Where lines are whole steps, a thread's slots differ by a constant.
        if (g.four_x && g.ow % DEPTH == 0) {
            load_of_line(tile);
        } else {
            load_any(tile);
        }
        k0 += DEPTH;
    }

    __device__ __forceinline__ void load_of_line(float4* tile) const {
        const int line = g.across.pixels[0].of(k0), image = g.down.pixels[0].of(line);
        const int y = (line - image * g.oh) * g.sh + taps[0].y, left = (k0 - line * g.ow) * g.sw + taps[0].x;
        const bool within = k0 < pixels && taps[0].is && static_cast<u32>(y) < static_cast<u32>(g.h);
        const int place = ((image * g.h + y) * g.w + left) * g.c + taps[0].channel, apart = TapColumns::STEP * g.sw;
        UNROLL
        for (int i = 0; i < TapColumns::COUNT; i++) {
            if (this->has(i)) {
                const bool valid = within && static_cast<u32>(left + i * apart) < static_cast<u32>(g.w);
                cp_async<16, true>(this->to(tile, i), x + (place + i * apart * g.c), valid);
            }
        }
    }

    __device__ __forceinline__ void load_any(float4* tile) const {
        UNROLL
        for (int i = 0; i < TapColumns::COUNT; i++) {
            const int pixel = k0 + i * TapColumns::STEP;
            if (!this->has(i)) {
                continue;
            }
            const int line = g.across.pixels[0].of(pixel), image = g.down.pixels[0].of(line);
            const int y = (line - image * g.oh) * g.sh, left = (pixel - line * g.ow) * g.sw;
            const auto valid = [&](const Tap& tap) {
                return pixel < pixels && tap.is && static_cast<u32>(y + tap.y) < static_cast<u32>(g.h) &&
                       static_cast<u32>(left + tap.x) < static_cast<u32>(g.w);
            };
            const auto place = [&](const Tap& tap) {
                return ((image * g.h + y + tap.y) * g.w + left + tap.x) * g.c + tap.channel;
            };
            if (g.four_x) {
                cp_async<16, true>(this->to(tile, i), x + place(taps[0]), valid(taps[0]));
                continue;
            }
            UNROLL
            for (int e = 0; e < 4; e++) {
                cp_async<4>(reinterpret_cast<float*>(this->to(tile, i)) + e, x + place(taps[e]), valid(taps[e]));
            }
        }
    }
};
