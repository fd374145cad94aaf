// A block's tile of C = A B: operands come in steps of DEPTH along k by asynchronous copies into a ring of STAGES
// shared-memory tiles; f32 by FMA, or tf32 and bf16 on tensor cores, always over f32 storage with f32 sums.
//
// What an operand is (pixels under a tap, weights, a plain matrix) is up to its loader; see conv2d.cuh. A loader lays
// its tile out as one of the two structs below, in units of float4 ("quads"), the one along which its memory is
// contiguous. Both swizzle, so that no reader below meets a bank twice in a phase of a load: eight threads on
// neighbouring rows, or 8 x 4 lanes of a fragment.
#pragma once
#include "mma.cuh"

// [row][k]: quads of four k.
template <int ROWS, int DEPTH>
struct AlongDepth {
    static constexpr bool ALONG_ROWS = false;
    static constexpr int QUADS = DEPTH / 4;
    static_assert(QUADS == 4 || QUADS == 8, "a row is 64 or 128 bytes");

    static __device__ __forceinline__ int swizzle(int row) {
        return QUADS == 8 ? (row & 1) << 2 | (row >> 1 & 3) : row >> 1 & 3;
    }
    static __device__ __forceinline__ int at(int row, int quad) { return row * QUADS + (quad ^ swizzle(row)); }

    // What a lane reads of a fragment: rows row + 8 i, all swizzled alike, and of k the four from 16 q + 4 t on.
    struct Lane {
        int place;
        __device__ __forceinline__ Lane(int row, int t) : place(at(row, t)) {}
        __device__ __forceinline__ void four(const float4* tile, int i, int q, float (&out)[4]) const {
            const float4 v = tile[(place ^ q * 4) + i * 8 * QUADS];
            out[0] = v.x, out[1] = v.y, out[2] = v.z, out[3] = v.w;
        }
    };
    // The same of rows row + APART i, row < APART, and of k the four of a quad.
    template <int APART>
    struct Rows {
        static_assert(QUADS == 4 && APART % 4 == 0, "the swizzle of rows that far apart differs by a constant");
        int place;
        __device__ __forceinline__ explicit Rows(int row) : place(row * QUADS + swizzle(row)) {}
        __device__ __forceinline__ float4 four(const float4* tile, int i, int quad) const {
            return tile[(place ^ quad ^ (APART * i >> 1 & 3)) + APART * i * QUADS];
        }
    };
};

// [k][row]: quads of four rows.
template <int ROWS, int DEPTH>
struct AlongRows {
    static constexpr bool ALONG_ROWS = true;
    static constexpr int QUADS = ROWS / 4;
    static_assert(QUADS == 4 || QUADS % 8 == 0, "the swizzle is made for these");

    static __device__ __forceinline__ int at(int k, int quad) {
        return QUADS == 4 ? (k ^ (k >> 2 & 1)) * 4 + (quad ^ (k >> 3 & 1) << 1) : k * QUADS + (quad ^ (k >> 2 & 3) << 1);
    }

    // As AlongDepth's. Of 32 rows each eight swizzle apart; those that a lane has begin with one of the first, or are 16.
    struct Lane {
        int place[4];
        __device__ __forceinline__ Lane(int row, int t) {
            UNROLL
            for (int j = 0; j < 4; j++) {
                place[j] = QUADS == 4 ? at(t * 4 + j % 2, row / 4 + j / 2 * 2) * 4 + row % 4
                                      : (t * 4 * QUADS + row / 32 * 8 + row / 4 % 2 + 2 * (row / 8 % 4 + j ^ t)) * 4 + row % 4;
            }
        }
        __device__ __forceinline__ void four(const float4* tile, int i, int q, float (&out)[4]) const {
            const float* elements = reinterpret_cast<const float*>(tile);
            UNROLL
            for (int e = 0; e < 4; e++) {
                out[e] = QUADS == 4 ? elements[place[i * 2 + e % 2] + (q * 16 + e / 2 * 2) * 16]
                                    : elements[place[i % 4] + ((q * 16 + e) * QUADS + i / 4 * 8) * 4];
            }
        }
    };
    template <int APART>
    struct Rows {
        __device__ __forceinline__ explicit Rows(int) {}
    };
};

// Sixteen bytes through L1, for operands that are read several times (a pixel under each tap).
__device__ __forceinline__ void cp_async_cached(float4* shared, const float* global, bool valid) {
#ifdef __CUDACC__
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(shared));
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    cp_async<16>(shared, global, valid);
#endif
}

// The sums of an M x N tile by FMA: a thread has TM x TN of them. Along k its rows lie TY apart, so that neighbouring
// threads read neighbouring rows; along rows they are groups of four.
template <int M_, int N_, int DEPTH_, int STAGES_, int TM, int TN>
struct Fma {
    static constexpr int M = M_, N = N_, DEPTH = DEPTH_, STAGES = STAGES_;
    static constexpr int TX = N / TN, TY = M / TM, THREADS = TX * TY;

    template <class A, class B>
    struct Sums {
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
        __device__ __forceinline__ int column(int j) const {
            return B::ALONG_ROWS ? j / 4 * (4 * TX) + tx * 4 + j % 4 : tx + TX * j;
        }

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
                float* line = out.line(Out::TRANSPOSED ? column(i) : row(i));
                const auto sum = [&](int j) { return Out::TRANSPOSED ? sums[j][i] : sums[i][j]; };
                if constexpr (Out::TRANSPOSED ? A::ALONG_ROWS : B::ALONG_ROWS) {
                    UNROLL
                    for (int j = 0; j < ACROSS; j += 4) {
                        out.four(line, Out::TRANSPOSED ? row(j) : column(j), make_float4(sum(j), sum(j + 1), sum(j + 2), sum(j + 3)));
                    }
                } else {
                    UNROLL
                    for (int j = 0; j < ACROSS; j++) {
                        out.one(line, Out::TRANSPOSED ? row(j) : column(j), sum(j));
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
        float sums[WM / 16][WN / 8][4];
        int row, column, t;  // of this lane's first sum but for 2 t columns
        typename A::Lane a_lane;
        typename B::Lane b_lane;

        __device__ __forceinline__ Sums()
            : row(static_cast<int>(threadIdx.x) / 32 / ACROSS * WM + threadIdx.x % 32 / 4),
              column(threadIdx.x / 32 % ACROSS * WN), t(threadIdx.x % 4), a_lane(row, t),
              b_lane(column + threadIdx.x % 32 / 4, t) {
            UNROLL
            for (int i = 0; i < WM / 16; i++) {
                UNROLL
                for (int j = 0; j < WN / 8; j++) {
                    sums[i][j][0] = sums[i][j][1] = sums[i][j][2] = sums[i][j][3] = 0.0f;
                }
            }
        }

        template <class Lane>
        __device__ __forceinline__ Number number(const Lane& lane, const float4* tile, int i, int q) const {
            float x[4];
            lane.four(tile, i, q, x);
            return Number(x);
        }

        // Half of the tile along k, the first or the second.
        template <int HALF>
        __device__ __forceinline__ void multiply(const float4* a_tile, const float4* b_tile) {
            UNROLL
            for (int q = HALF * ((DEPTH + 16) / 32); q < (HALF ? DEPTH / 16 : (DEPTH + 16) / 32); q++) {
                // B's columns are fewer: they stay, A's rows pass by.
                Number b[WN / 8];
                UNROLL
                for (int j = 0; j < WN / 8; j++) {
                    b[j] = number(b_lane, b_tile, j, q);
                }
                UNROLL
                for (int i = 0; i < WM / 16; i++) {
                    const Number a = number(a_lane, a_tile, i * 2, q), a8 = number(a_lane, a_tile, i * 2 + 1, q);
                    UNROLL
                    for (int j = 0; j < WN / 8; j++) {
                        Number::multiply(sums[i][j], a, a8, b[j]);
                    }
                }
            }
        }

        template <class Out>
        __device__ __forceinline__ void write(const Out& out) const {
            if constexpr (Out::TRANSPOSED) {
                UNROLL
                for (int j = 0; j < WN / 8 * 2; j++) {
                    float* line = out.line(column + j / 2 * 8 + t * 2 + j % 2);
                    UNROLL
                    for (int i = 0; i < WM / 8; i++) {
                        out.one(line, row + i * 8, sums[i / 2][j / 2][i % 2 * 2 + j % 2]);
                    }
                }
            } else {
                UNROLL
                for (int i = 0; i < WM / 8; i++) {
                    float* line = out.line(row + i * 8);
                    UNROLL
                    for (int j = 0; j < WN / 8; j++) {
                        const float* pair = &sums[i / 2][j][i % 2 * 2];
                        out.two(line, column + j * 8 + t * 2, pair[0], pair[1]);
                    }
                }
            }
        }
    };
};

// Computes the tile over `steps` steps of DEPTH that the loaders walk along, and writes it.
template <class Tile, class A, class B, class Out>
__device__ __forceinline__ void multiply_tile(A& a, B& b, int steps, const Out& out) {
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
}
