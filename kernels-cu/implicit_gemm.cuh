// A block's tile of C = A B: operands come in steps of DEPTH along k by asynchronous copies into a ring of STAGES
// shared-memory tiles; f32 by FMA, or tf32 and bf16 on tensor cores, always over f32 storage with f32 sums.
//
// What an operand is (pixels under a tap, weights, a plain matrix) is up to its loader; see conv2d.cuh. How its tile lies in
// shared memory is one of the layouts of tile_layouts.cuh.
#pragma once
#include "mma.cuh"
#include "tile_layouts.cuh"

// The sums of an M x N tile by FMA: a thread has TM x TN of them. Along k its rows lie TY apart, so that neighbouring
// threads read neighbouring rows; along rows they are groups of four.
template <int M_, int N_, int DEPTH_, int STAGES_, int TM, int TN>
struct Fma {
    static constexpr int M = M_, N = N_, DEPTH = DEPTH_, STAGES = STAGES_;
    static constexpr int TX = N / TN, TY = M / TM, THREADS = TX * TY;

    template <class A, class B>
    struct Sums {
        // For write_moments: what a thread has, which lanes have the same columns, and how many warps.
        static constexpr int ROWS = TM, COLUMNS = TN, APART = TX, SLOTS = THREADS / 32;
        static_assert(32 % TX == 0, "each warp has all columns");

        float sums[TM][TN];
        int tx, ty;
        typename A::template Rows<TY> a_rows;
        typename B::template Rows<TX> b_rows;

        __device__ __forceinline__ Sums() : tx(threadIdx.x % TX), ty(threadIdx.x / TX), a_rows(ty), b_rows(tx) {
            UNROLL
            for (int i = 0; i < TM * TN; i++) {
                sums[i / TN][i % TN] = 0.0f;
            }
        }

        __device__ __forceinline__ int row(int i) const {
            return A::ALONG_ROWS ? i / 4 * (4 * TY) + ty * 4 + i % 4 : ty + TY * i;
        }
        __device__ __forceinline__ int column_at(int j) const {
            return B::ALONG_ROWS ? j / 4 * (4 * TX) + tx * 4 + j % 4 : tx + TX * j;
        }
        __device__ __forceinline__ float value(int i, int j) const { return sums[i][j]; }
        __device__ __forceinline__ int slot() const { return static_cast<int>(threadIdx.x) / 32; }

        // Half of the tile along k, the first or the second.
        template <int HALF>
        __device__ __forceinline__ void multiply(const float4* a_tile, const float4* b_tile) {
            UNROLL_BY(2)
            for (int quad = HALF * (DEPTH / 8); quad < (HALF + 1) * (DEPTH / 8); quad++) {
                float a[TM][4];
                load_a(a_tile, quad, a);
                if constexpr (B::ALONG_ROWS) {
                    UNROLL
                    for (int k = 0; k < 4; k++) {
                        UNROLL
                        for (int group = 0; group < TN / 4; group++) {
                            const float4 b = b_tile[B::at(quad * 4 + k, tx + TX * group)];
                            UNROLL
                            for (int i = 0; i < TM; i++) {
                                float* to = &sums[i][group * 4];
                                to[0] = fmaf(a[i][k], b.x, to[0]);
                                to[1] = fmaf(a[i][k], b.y, to[1]);
                                to[2] = fmaf(a[i][k], b.z, to[2]);
                                to[3] = fmaf(a[i][k], b.w, to[3]);
                            }
                        }
                    }
                } else {
                    UNROLL
                    for (int j = 0; j < TN; j++) {
                        const float4 b = b_rows.four(b_tile, j, quad);
                        UNROLL
                        for (int i = 0; i < TM; i++) {
                            float sum = sums[i][j];
                            sum = fmaf(a[i][0], b.x, sum);
                            sum = fmaf(a[i][1], b.y, sum);
                            sum = fmaf(a[i][2], b.z, sum);
                            sums[i][j] = fmaf(a[i][3], b.w, sum);
                        }
                    }
                }
            }
        }

        __device__ __forceinline__ void load_a(const float4* tile, int quad, float (&a)[TM][4]) const {
            if constexpr (A::ALONG_ROWS) {
                UNROLL
                for (int k = 0; k < 4; k++) {
                    UNROLL
                    for (int group = 0; group < TM / 4; group++) {
                        const float4 v = tile[A::at(quad * 4 + k, ty + TY * group)];
                        a[group * 4][k] = v.x;
                        a[group * 4 + 1][k] = v.y;
                        a[group * 4 + 2][k] = v.z;
                        a[group * 4 + 3][k] = v.w;
                    }
                }
            } else {
                UNROLL
                for (int i = 0; i < TM; i++) {
                    const float4 v = a_rows.four(tile, i, quad);
                    a[i][0] = v.x, a[i][1] = v.y, a[i][2] = v.z, a[i][3] = v.w;
                }
            }
        }

        // A line of the result is a row of the tile, or of its transposed a column.
        template <class Out>
        __device__ __forceinline__ void write(const Out& out) const {
            constexpr int LINES = Out::TRANSPOSED ? TN : TM, ACROSS = Out::TRANSPOSED ? TM : TN;
            UNROLL
            for (int i = 0; i < LINES; i++) {
                float* line = out.line(Out::TRANSPOSED ? column_at(i) : row(i));
                const auto sum = [&](int j) { return Out::TRANSPOSED ? sums[j][i] : sums[i][j]; };
                if constexpr (Out::TRANSPOSED ? A::ALONG_ROWS : B::ALONG_ROWS) {
                    UNROLL
                    for (int j = 0; j < ACROSS; j += 4) {
                        out.four(line, Out::TRANSPOSED ? row(j) : column_at(j), make_float4(sum(j), sum(j + 1), sum(j + 2), sum(j + 3)));
                    }
                } else {
                    UNROLL
                    for (int j = 0; j < ACROSS; j++) {
                        out.one(line, Out::TRANSPOSED ? row(j) : column_at(j), sum(j));
                    }
                }
            }
        }
    };
};

// Two fragments of a row of `a` or a column of `b`: four neighbours in k, 4 t .. 4 t + 3 of 16. That the ISA calls them
// k = t, t + 4, t + 8, t + 12 (tf32, of two instructions) does not matter: both operands agree, and a sum has no order.
struct Tf32 {
    u32 bits[4];
    __device__ __forceinline__ Tf32() {}
    __device__ __forceinline__ explicit Tf32(const float (&x)[4]) {
        UNROLL
        for (int k = 0; k < 4; k++) {
            bits[k] = to_tf32(x[k]);
        }
    }
    static __device__ __forceinline__ void multiply(float (&c)[4], const Tf32& a, const Tf32& a8, const Tf32& b) {
        UNROLL
        for (int k = 0; k < 4; k += 2) {
            const u32 left[4] = {a.bits[k], a8.bits[k], a.bits[k + 1], a8.bits[k + 1]};
            const u32 right[2] = {b.bits[k], b.bits[k + 1]};
            mma_m16n8k8_tf32(c, left, right);
        }
    }
};

struct Bf16 {
    u32 bits[2];
    __device__ __forceinline__ Bf16() {}
    __device__ __forceinline__ explicit Bf16(const float (&x)[4]) {
        bits[0] = pack_bf16(x[0], x[1]);
        bits[1] = pack_bf16(x[2], x[3]);
    }
    static __device__ __forceinline__ void multiply(float (&c)[4], const Bf16& a, const Bf16& a8, const Bf16& b) {
        const u32 left[4] = {a.bits[0], a8.bits[0], a.bits[1], a8.bits[1]};
        mma_m16n8k16_bf16(c, left, b.bits);
    }
};

// The sums of an M x N tile on tensor cores: a warp has WM x WN of them. Operands are rounded as they come out of
// shared memory.
template <class Number, int M_, int N_, int DEPTH_, int STAGES_, int WM, int WN>
struct Mma {
    static constexpr int M = M_, N = N_, DEPTH = DEPTH_, STAGES = STAGES_;
    static constexpr int ACROSS = N / WN, THREADS = 32 * (M / WM) * ACROSS;

    template <class A, class B>
    struct Sums {
        // Fragments down and across, and how many a read of A has.
        static constexpr int NI = WM / 8, NJ = WN / 8, READ = 4;
        static_assert(NI % READ == 0 && (NJ == 2 || NJ == 4), "reads of four fragments down, one across");
        typedef typename A::template Lane<NI> ALane;
        typedef typename B::template Lane<NJ> BLane;
        // For write_moments, as in Fma.
        static constexpr int ROWS = NI, COLUMNS = NJ * 2, APART = 4, SLOTS = M / WM;

        float sums[NI / 2][NJ][4];
        int row, column, g, t;  // where the warp's sums begin; the lane
        ALane a_lane;
        BLane b_lane;

        __device__ __forceinline__ Sums()
            : row(static_cast<int>(threadIdx.x) / 32 / ACROSS * WM), column(threadIdx.x / 32 % ACROSS * WN),
              g(threadIdx.x % 32 / 4), t(threadIdx.x % 4), a_lane(row, g, t), b_lane(column, g, t) {
            UNROLL
            for (int i = 0; i < NI / 2; i++) {
                UNROLL
                for (int j = 0; j < NJ; j++) {
                    sums[i][j][0] = sums[i][j][1] = sums[i][j][2] = sums[i][j][3] = 0.0f;
                }
            }
        }

        // Half of the tile along k, the first or the second.
        template <int HALF>
        __device__ __forceinline__ void multiply(const float4* a_tile, const float4* b_tile) {
            constexpr int MIDDLE = (DEPTH + 16) / 32;
            UNROLL
            for (int q = HALF * MIDDLE; q < (HALF ? DEPTH / 16 : MIDDLE); q++) {
                // B's columns are fewer: they stay, A's rows pass by.
                float x_b[NJ][4];
                b_lane.read(b_tile, q, 0, x_b);
                Number b[NJ];
                UNROLL
                for (int j = 0; j < NJ; j++) {
                    b[j] = Number(x_b[j]);
                }
                UNROLL
                for (int from = 0; from < NI; from += READ) {
                    float x_a[READ][4];
                    a_lane.read(a_tile, q, from, x_a);
                    UNROLL
                    for (int i = 0; i < READ; i += 2) {
                        const Number a(x_a[i]), a8(x_a[i + 1]);
                        UNROLL
                        for (int j = 0; j < NJ; j++) {
                            Number::multiply(sums[(from + i) / 2][j], a, a8, b[j]);
                        }
                    }
                }
            }
        }

        // Of fragment i down and j across, the sum of row g and column 2 t + m.
        __device__ __forceinline__ float sum(int i, int j, int m) const { return sums[i / 2][j][i % 2 * 2 + m]; }

        __device__ __forceinline__ float value(int i, int j) const { return sum(i, j / 2, j % 2); }
        __device__ __forceinline__ int column_at(int j) const { return column + BLane::row(t * 2 + j % 2, j / 2); }
        __device__ __forceinline__ int slot() const { return static_cast<int>(threadIdx.x) / 32 / ACROSS; }

        template <class Out>
        __device__ __forceinline__ void write(const Out& out) const {
            if constexpr (Out::TRANSPOSED) {
                static_assert(A::ALONG_ROWS, "four fragments have neighbouring rows");
                UNROLL
                for (int j = 0; j < NJ * 2; j++) {
                    float* line = out.line(column_at(j));
                    UNROLL
                    for (int i = 0; i < NI; i += 4) {
                        const int m = j % 2, at = j / 2;
                        out.four(line, row + ALane::row(g, i),
                                 make_float4(sum(i, at, m), sum(i + 1, at, m), sum(i + 2, at, m), sum(i + 3, at, m)));
                    }
                }
            } else {
                UNROLL
                for (int i = 0; i < NI; i++) {
                    write_line(out, out.line(row + ALane::row(g, i)), i);
                }
            }
        }

        template <class Out>
        __device__ __forceinline__ void write_line(const Out& out, float* line, int i) const {
            if constexpr (!B::ALONG_ROWS) {
                UNROLL
                for (int j = 0; j < NJ; j++) {
                    out.two(line, column + j * 8 + t * 2, sum(i, j, 0), sum(i, j, 1));
                }
            } else if constexpr (NJ == 2) {
                out.four(line, column + t * 4, make_float4(sum(i, 0, 0), sum(i, 1, 0), sum(i, 0, 1), sum(i, 1, 1)));
            } else {
                UNROLL
                for (int m = 0; m < 2; m++) {
                    out.four(line, column + t * 8 + m * 4, make_float4(sum(i, 0, m), sum(i, 1, m), sum(i, 2, m), sum(i, 3, m)));
                }
            }
        }
    };
};

// The mean, and the sum of squared deviations from it, of 2 count numbers from those of twice as many (Chan, Golub, LeVeque 1979).
__device__ __forceinline__ float2 join_equal(float2 a, float2 b, float count) {
    const float delta = b.x - a.x;
    return make_float2((a.x + b.x) * 0.5f, fmaf(delta * delta, count * 0.5f, a.y + b.y));
}

// Where the moments of a tile's columns go, of which all rows count: their means, and `length` numbers on the sums of squared
// deviations; the tile has those from `first` on. Nowhere, if null.
struct Moments {
    float* out;
    int first, length;
};

// First over a thread's rows, then as a tree over the lanes and the warps that have the same columns.
template <class Tile, class Sums>
__device__ __forceinline__ void write_moments(const Sums& sums, float2* scratch, const Moments& moments) {
    // The products are done with the memory.
    __syncthreads();
    UNROLL
    for (int j = 0; j < Sums::COLUMNS; j++) {
        float2 of = make_float2(0.0f, 0.0f);
        UNROLL
        for (int i = 0; i < Sums::ROWS; i++) {
            of.x += sums.value(i, j);
        }
        of.x /= Sums::ROWS;
        UNROLL
        for (int i = 0; i < Sums::ROWS; i++) {
            const float deviation = sums.value(i, j) - of.x;
            of.y = fmaf(deviation, deviation, of.y);
        }
        UNROLL
        for (int apart = Sums::APART; apart < 32; apart *= 2) {
            const float2 other = make_float2(__shfl_xor_sync(0xFFFFFFFFu, of.x, apart), __shfl_xor_sync(0xFFFFFFFFu, of.y, apart));
            of = join_equal(of, other, static_cast<float>(Sums::ROWS * (apart / Sums::APART)));
        }
        if (threadIdx.x % 32 < Sums::APART) {
            scratch[sums.slot() * Tile::N + sums.column_at(j)] = of;
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < Tile::N && moments.first + c < moments.length; c += Tile::THREADS) {
        float2 of[Sums::SLOTS];
        UNROLL
        for (int slot = 0; slot < Sums::SLOTS; slot++) {
            of[slot] = scratch[slot * Tile::N + c];
        }
        UNROLL
        for (int half = Sums::SLOTS / 2; half > 0; half /= 2) {
            UNROLL
            for (int slot = 0; slot < half; slot++) {
                of[slot] = join_equal(of[slot], of[slot + half], static_cast<float>(Tile::M / (2 * half)));
            }
        }
        moments.out[moments.first + c] = of[0].x;
        moments.out[moments.length + moments.first + c] = of[0].y;
    }
}

// Computes the tile over `steps` steps of DEPTH that the loaders walk along, writes it, and its columns' moments where
// `moments_of` says, which is asked at the end: no register has to remember it.
template <class Tile, class A, class B, class Out, class MomentsOf>
__device__ __forceinline__ void multiply_tile(A& a, B& b, int steps, const Out& out, MomentsOf moments_of) {
    constexpr int STAGES = Tile::STAGES;
    SHARED(float4, a_tiles, [STAGES * Tile::M * Tile::DEPTH / 4]);
    SHARED(float4, b_tiles, [STAGES * Tile::N * Tile::DEPTH / 4]);
    typename Tile::template Sums<typename A::Layout, typename B::Layout> sums;
    // The first STAGES - 1 rounds only load; in one loop, because the loaders are much code.
    // The next copies are asked for between two halves of the products, so that tensor cores have work meanwhile.
    int filled = 0, read = 0;
    UNROLL_BY(1)
    for (int step = 1 - STAGES; step < steps; step++) {
        const float4* const a_tile = a_tiles + read * (Tile::M * Tile::DEPTH / 4);
        const float4* const b_tile = b_tiles + read * (Tile::N * Tile::DEPTH / 4);
        if (step >= 0) {
            cp_async_wait<STAGES - 2>();
            // Everybody's part of this step is there, and nobody reads the stage that is filled next.
            __syncthreads();
            sums.template multiply<0>(a_tile, b_tile);
            read = read + 1 < STAGES ? read + 1 : 0;
        }
        if (step + STAGES - 1 < steps) {
            a.load(a_tiles + filled * (Tile::M * Tile::DEPTH / 4));
            b.load(b_tiles + filled * (Tile::N * Tile::DEPTH / 4));
            filled = filled + 1 < STAGES ? filled + 1 : 0;
        }
        cp_async_commit();
        if (step >= 0) {
            sums.template multiply<1>(a_tile, b_tile);
        }
    }
    sums.write(out);
    if constexpr (!Out::TRANSPOSED) {
        const Moments moments = moments_of();
        if (moments.out != nullptr) {
            write_moments<Tile>(sums, reinterpret_cast<float2*>(a_tiles), moments);
        }
    }
}
