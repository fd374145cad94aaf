// Convolution by 3x3 kernels of stride 1 and padding 1 between as many channels, 16 or 32, on tensor cores.
//
// The implicit product of conv2d.cuh copies a pixel once for each tap, nine times, which takes longer than the products of so few
// channels. Here a block copies the pixels of its tile with a margin once, and the weights rounded and in the order in which its
// warps read them. A warp has ROWS rows of 16 pixels, and what it read of one serves the three taps of a column. The gradient of
// the input is the same with the taps turned round and the weights transposed.
#pragma once
#include "conv2d.cuh"

template <class Number_, int CHANNELS_, int ROWS_>
struct Halo {
    typedef Number_ Number;
    static constexpr int CHANNELS = CHANNELS_, ROWS = ROWS_, WARPS = 4, THREADS = 32 * WARPS;
    // Pixels of the tile, and with its margin.
    static constexpr int DOWN = WARPS * ROWS, ACROSS = 16, HIGH = DOWN + 2, WIDE = ACROSS + 2;
    static constexpr int M = DOWN * ACROSS, N = CHANNELS;
    // Quads of a pixel's channels, which are fragments of 16 in k, and of eight across.
    static constexpr int QUADS = CHANNELS / 4, STEPS = CHANNELS / 16, NJ = CHANNELS / 8;
    static_assert(CHANNELS == 16 || CHANNELS == 32, "the swizzle is made for these");

    // Where a quad lies. Two neighbouring pixels, which eight lanes read, meet in no bank: of 32 channels one pixel has all, so
    // that odd columns change halves.
    static __device__ __forceinline__ int at(int row, int column, int quad) {
        return (row * WIDE + column) * QUADS + (QUADS == 8 ? quad ^ (column & 1) << 2 : quad);
    }

    struct Sums {
        float sums[ROWS_][NJ][4];

        // For write_moments, as in Mma.
        static constexpr int ROWS = ROWS_ * 2, COLUMNS = NJ * 2, APART = 4, SLOTS = WARPS;
        __device__ __forceinline__ float value(int i, int j) const { return sums[i / 2][j / 2][i % 2 * 2 + j % 2]; }
        __device__ __forceinline__ int column_at(int j) const { return j / 2 * 8 + static_cast<int>(threadIdx.x) % 4 * 2 + j % 2; }
        __device__ __forceinline__ int slot() const { return static_cast<int>(threadIdx.x) / 32; }
    };
};

// A fragment's words in shared memory, in one access.
__device__ __forceinline__ void put(float* to, int at, const Tf32& number) {
    const u32(&bits)[4] = number.bits;
    reinterpret_cast<float4*>(to)[at] = make_float4(__uint_as_float(bits[0]), __uint_as_float(bits[1]), __uint_as_float(bits[2]),
                                                    __uint_as_float(bits[3]));
}
__device__ __forceinline__ void put(float* to, int at, const Bf16& number) {
    reinterpret_cast<float2*>(to)[at] = make_float2(__uint_as_float(number.bits[0]), __uint_as_float(number.bits[1]));
}
__device__ __forceinline__ void get(const float* from, int at, Tf32& number) {
    const float4 v = reinterpret_cast<const float4*>(from)[at];
    number.bits[0] = __float_as_uint(v.x), number.bits[1] = __float_as_uint(v.y);
    number.bits[2] = __float_as_uint(v.z), number.bits[3] = __float_as_uint(v.w);
}
__device__ __forceinline__ void get(const float* from, int at, Bf16& number) {
    const float2 v = reinterpret_cast<const float2*>(from)[at];
    number.bits[0] = __float_as_uint(v.x), number.bits[1] = __float_as_uint(v.y);
}

// Blocks: the tiles of all images, which are whole. Dynamic shared memory: the tile with its margin, then the weights. Operands
// and result are aligned to 16 bytes. Where `parts` is not null, it gets the moments of each tile.
template <class Tile, bool TURNED>
__device__ __forceinline__ void conv2d_halo(const Conv2d& g, const float* x, const float* w, float* out, float* parts) {
    typedef typename Tile::Number Number;
    constexpr int CHANNELS = Tile::CHANNELS, QUADS = Tile::QUADS, NJ = Tile::NJ, STEPS = Tile::STEPS, ROWS = Tile::ROWS;
    DYNAMIC_SHARED(float4, tile);
    float* const weights = reinterpret_cast<float*>(tile + Tile::HIGH * Tile::WIDE * QUADS);
    const int across = g.w / Tile::ACROSS, down = g.h / Tile::DOWN, block = static_cast<int>(blockIdx.x);
    const int line = block / across, image = line / down;
    const int first_x = (block - line * across) * Tile::ACROSS, first_y = (line - image * down) * Tile::DOWN;

    UNROLL_BY(2)
    for (int i = threadIdx.x; i < Tile::HIGH * Tile::WIDE * QUADS; i += Tile::THREADS) {
        const int pixel = i / QUADS, quad = i % QUADS, row = pixel / Tile::WIDE, column = pixel % Tile::WIDE;
        const int from_y = first_y + row - 1, from_x = first_x + column - 1;
        const bool inside = 0 <= from_y && from_y < g.h && 0 <= from_x && from_x < g.w;
        const int from = inside ? ((image * g.h + from_y) * g.w + from_x) * CHANNELS + quad * 4 : 0;
        cp_async<16>(&tile[Tile::at(row, column, quad)], x + from, inside);
    }
    cp_async_commit();
    // Fragment (tap, step, j) of lane (row, t): column j * 8 + row of the result, k = 16 step + 4 t on.
    UNROLL_BY(2)
    for (int i = threadIdx.x; i < 9 * STEPS * NJ * 32; i += Tile::THREADS) {
        const int lane = i % 32, j = i / 32 % NJ, step = i / (32 * NJ) % STEPS, tap = i / (32 * NJ * STEPS);
        const int n = j * 8 + lane / 4, k = step * 16 + lane % 4 * 4;
        float quad[4];
        if constexpr (TURNED) {
            UNROLL
            for (int e = 0; e < 4; e++) {
                quad[e] = w[((k + e) * 9 + 8 - tap) * CHANNELS + n];
            }
        } else {
            const float4 v = *reinterpret_cast<const float4*>(w + (n * 9 + tap) * CHANNELS + k);
            quad[0] = v.x, quad[1] = v.y, quad[2] = v.z, quad[3] = v.w;
        }
        put(weights, i, Number(quad));
    }
    cp_async_wait<0>();
    __syncthreads();

    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = lane / 4, t = lane % 4;
    typename Tile::Sums all;
    UNROLL
    for (int i = 0; i < ROWS * NJ; i++) {
        float(&sum)[4] = all.sums[i / NJ][i % NJ];
        sum[0] = sum[1] = sum[2] = sum[3] = 0.0f;
    }
    UNROLL_BY(1)
    for (int step = 0; step < STEPS; step++) {
        UNROLL
        for (int dx = 0; dx < 3; dx++) {
            Number a[ROWS + 2][2];
            UNROLL
            for (int i = 0; i < (ROWS + 2) * 2; i++) {
                const float4 v = tile[Tile::at(warp * ROWS + i / 2, dx + column + i % 2 * 8, step * 4 + t)];
                const float quad[4] = {v.x, v.y, v.z, v.w};
                a[i / 2][i % 2] = Number(quad);
            }
            UNROLL
            for (int dy = 0; dy < 3; dy++) {
                UNROLL
                for (int j = 0; j < NJ; j++) {
                    Number b;
                    get(weights, (((dy * 3 + dx) * STEPS + step) * NJ + j) * 32 + lane, b);
                    UNROLL
                    for (int row = 0; row < ROWS; row++) {
                        Number::multiply(all.sums[row][j], a[row + dy][0], a[row + dy][1], b);
                    }
                }
            }
        }
    }
    UNROLL
    for (int i = 0; i < ROWS * 2; i++) {
        const int to_y = first_y + warp * ROWS + i / 2, to_x = first_x + column + i % 2 * 8;
        float* const to = out + ((image * g.h + to_y) * g.w + to_x) * CHANNELS + t * 2;
        UNROLL
        for (int j = 0; j < NJ; j++) {
            float2* const two = reinterpret_cast<float2*>(to + j * 8);
            const float2 old = g.accumulate ? *two : make_float2(0.0f, 0.0f);
            *two = make_float2(old.x + all.value(i, j * 2), old.y + all.value(i, j * 2 + 1));
        }
    }
    if (parts != nullptr) {
        write_moments<Tile>(all, reinterpret_cast<float2*>(tile), {parts + static_cast<u64>(block) * 2 * CHANNELS, 0, CHANNELS});
    }
}

// The gradient of the weights of such a convolution. k are pixels: a fragment's 16 are a row of the tile, lane t has t, t + 4, t + 8
// and t + 12, so that lanes read neighbouring channels of four neighbouring pixels, which lie eight banks apart by their pitch.
// What a warp read of a row of x serves three rows of dy. It has 16 x 16 channels at all taps: of 16 channels the warps
// share the rows, and their sums are added in the end, of 32 they share the channels.
template <class Number_, int CHANNELS_>
struct HaloWeight {
    typedef Number_ Number;
    static constexpr int CHANNELS = CHANNELS_, WARPS = 4, THREADS = 32 * WARPS;
    // Rows of a warp at a time, pixels of the tile, and with its margin.
    static constexpr int ROWS = 4, PARTS = CHANNELS == 16 ? WARPS : 1, DOWN = CHANNELS == 16 ? 16 : 8, ACROSS = 16;
    static constexpr int HIGH = DOWN + 2, WIDE = ACROSS + 2, QUADS = CHANNELS / 4, PITCH = QUADS + 2, LENGTH = 9 * CHANNELS * CHANNELS;
    // From an output channel's weights to the next in shared memory: lanes two apart in it meet in no bank.
    static constexpr int ROW = 9 * CHANNELS, ROW_PITCH = ROW + 4;
    static_assert(CHANNELS == 16 || CHANNELS == 32, "warps share the work of these");
};

// The numbers of channel `c` at the lane's four of 16 pixels from `at` on.
template <class Tile>
__device__ __forceinline__ typename Tile::Number pixels_of(const float4* tile, int at, int c) {
    const float* from = reinterpret_cast<const float*>(tile + (at + static_cast<int>(threadIdx.x) % 4) * Tile::PITCH) + c;
    const float four[4] = {from[0], from[4 * 4 * Tile::PITCH], from[8 * 4 * Tile::PITCH], from[12 * 4 * Tile::PITCH]};
    return typename Tile::Number(four);
}

// Blocks: the splits, along y as in conv2d.cuh, each with as many of the `tiles` of all images one after the other. Dynamic
// shared memory: the tile of x with its margin, then that of dy; at the end, what the warps found.
template <class Tile>
__device__ __forceinline__ void conv2d_halo_weight(const Conv2d& g, const float* x, const float* dy, float* out) {
    typedef typename Tile::Number Number;
    constexpr int CHANNELS = Tile::CHANNELS, QUADS = Tile::QUADS, PITCH = Tile::PITCH, ROWS = Tile::ROWS;
    DYNAMIC_SHARED(float4, x_tile);
    float4* const dy_tile = x_tile + Tile::HIGH * Tile::WIDE * PITCH;
    const int across = g.w / Tile::ACROSS, down = g.h / Tile::DOWN, tiles = g.n * down * across;
    const int each = (tiles + g.splits - 1) / g.splits, begin = static_cast<int>(blockIdx.y) * each;
    const int warp = threadIdx.x / 32, row = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    // The warp's channels of x and of dy, and its rows: all of them, or a share.
    const int c = CHANNELS == 16 ? 0 : warp / 2 * 16, o = CHANNELS == 16 ? 0 : warp % 2 * 16;
    const int first = CHANNELS == 16 ? warp * ROWS : 0, end = CHANNELS == 16 ? first + ROWS : Tile::DOWN;

    float sums[9][2][4];
    UNROLL
    for (int i = 0; i < 9 * 2 * 4; i++) {
        sums[i / 8][i / 4 % 2][i % 4] = 0.0f;
    }
    UNROLL_BY(1)
    for (int at = begin; at < min(begin + each, tiles); at++) {
        const int line = at / across, image = line / down;
        const int first_x = (at - line * across) * Tile::ACROSS, first_y = (line - image * down) * Tile::DOWN;
        // Nobody reads the last tile any more.
        __syncthreads();
        UNROLL_BY(2)
        for (int i = threadIdx.x; i < Tile::HIGH * Tile::WIDE * QUADS; i += Tile::THREADS) {
            const int pixel = i / QUADS, quad = i % QUADS;
            const int from_y = first_y + pixel / Tile::WIDE - 1, from_x = first_x + pixel % Tile::WIDE - 1;
            const bool inside = 0 <= from_y && from_y < g.h && 0 <= from_x && from_x < g.w;
            const int from = inside ? ((image * g.h + from_y) * g.w + from_x) * CHANNELS + quad * 4 : 0;
            cp_async<16>(&x_tile[pixel * PITCH + quad], x + from, inside);
        }
        UNROLL_BY(2)
        for (int i = threadIdx.x; i < Tile::DOWN * Tile::ACROSS * QUADS; i += Tile::THREADS) {
            const int pixel = i / QUADS, quad = i % QUADS;
            const int from_y = first_y + pixel / Tile::ACROSS, from_x = first_x + pixel % Tile::ACROSS;
            cp_async<16>(&dy_tile[pixel * PITCH + quad], dy + ((image * g.h + from_y) * g.w + from_x) * CHANNELS + quad * 4, true);
        }
        cp_async_commit();
        cp_async_wait<0>();
        __syncthreads();
        UNROLL_BY(1)
        for (int from = first; from < end; from += ROWS) {
            Number b[ROWS][2];
            UNROLL
            for (int r = 0; r < ROWS + 2; r++) {
                if (r < ROWS) {
                    UNROLL
                    for (int j = 0; j < 2; j++) {
                        b[r][j] = pixels_of<Tile>(dy_tile, (from + r) * Tile::ACROSS, o + j * 8 + row);
                    }
                }
                UNROLL
                for (int tap_x = 0; tap_x < 3; tap_x++) {
                    const int pixel = (from + r) * Tile::WIDE + tap_x;
                    const Number a = pixels_of<Tile>(x_tile, pixel, c + row), a8 = pixels_of<Tile>(x_tile, pixel, c + row + 8);
                    UNROLL
                    for (int tap_y = 0; tap_y < 3; tap_y++) {
                        if (0 <= r - tap_y && r - tap_y < ROWS) {
                            UNROLL
                            for (int j = 0; j < 2; j++) {
                                Number::multiply(sums[tap_y * 3 + tap_x][j], a, a8, b[r - tap_y][j]);
                            }
                        }
                    }
                }
            }
        }
    }
    // dw[o][tap][c] of each warp, or of all.
    float* const found = reinterpret_cast<float*>(x_tile) + (Tile::PARTS > 1 ? warp * CHANNELS * Tile::ROW_PITCH : 0);
    __syncthreads();
    UNROLL
    for (int i = 0; i < 9 * 2 * 4; i++) {
        const int tap = i / 8, j = i / 4 % 2, m = i % 4;
        found[(o + j * 8 + t * 2 + m % 2) * Tile::ROW_PITCH + tap * CHANNELS + c + row + m / 2 * 8] = sums[tap][j][m];
    }
    __syncthreads();
    const float* const all = reinterpret_cast<const float*>(x_tile);
    out += static_cast<u64>(blockIdx.y) * Tile::LENGTH;
    UNROLL_BY(2)
    for (int i = threadIdx.x; i < Tile::LENGTH; i += Tile::THREADS) {
        const int at = i + i / Tile::ROW * (Tile::ROW_PITCH - Tile::ROW);
        float sum = all[at];
        UNROLL
        for (int part = 1; part < Tile::PARTS; part++) {
            sum += all[part * CHANNELS * Tile::ROW_PITCH + at];
        }
        store(out + i, sum, g.accumulate);
    }
}
