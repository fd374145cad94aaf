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
