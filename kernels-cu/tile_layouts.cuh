// How an operand's tile lies in shared memory, in units of float4 ("quads"): along k or along its rows, as its memory does.
//
// Both layouts swizzle, so that no reader meets a bank twice in a phase of a load: eight threads on neighbouring rows, or the
// 8 x 4 lanes of a fragment. How they are read is here too, since what a lane reads where is found once, not each step.
#pragma once
#include "common.cuh"

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

    // What lane (g, t) of a warp reads of COUNT times eight rows from `first` on, as rows g of fragments i: row
    // first + 8 i + g, all swizzled alike, and of k the four from 16 q + 4 t on.
    template <int COUNT>
    struct Lane {
        int place;
        __device__ __forceinline__ Lane(int first, int g, int t) : place(at(first + g, t)) {}

        static __device__ __forceinline__ int row(int g, int i) { return i * 8 + g; }

        // x[i][e]: element e of the four of fragment from + i.
        template <int N>
        __device__ __forceinline__ void read(const float4* tile, int q, int from, float (&x)[N][4]) const {
            UNROLL
            for (int i = 0; i < N; i++) {
                const float4 v = tile[(place ^ q * 4) + (from + i) * 8 * QUADS];
                x[i][0] = v.x, x[i][1] = v.y, x[i][2] = v.z, x[i][3] = v.w;
            }
        }
    };
    // What a thread reads of rows row + APART i, row < APART, and of k the four of a quad.
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

    // As AlongDepth's, but which row is row g of fragment i is up to whoever writes the sums: with neighbours in fragments
    // of a kind one load has a number for each of two or four.
    template <int COUNT>
    struct Lane {
        static constexpr int WIDE = COUNT < 4 ? COUNT : 4;
        static_assert(WIDE == 2 || WIDE == 4, "a load of two or four");
        int place[2];  // of an even k, and where the swizzle tells them apart of an odd one

        __device__ __forceinline__ Lane(int first, int g, int t) {
            const int row = first + g * WIDE;
            place[0] = at(t * 4, row / 4) * 4 + row % 4;
            place[1] = at(t * 4 + 1, row / 4) * 4 + row % 4;
        }

        static __device__ __forceinline__ int row(int g, int i) { return i / WIDE * (8 * WIDE) + g * WIDE + i % WIDE; }

        template <int N>
        __device__ __forceinline__ void read(const float4* tile, int q, int from, float (&x)[N][4]) const {
            static_assert(N == WIDE, "all that one load has");
            UNROLL
            for (int e = 0; e < 4; e++) {
                const float* at = reinterpret_cast<const float*>(tile) + from * 8 +
                                  (QUADS == 4 ? place[e % 2] + (q * 16 + e / 2 * 2) * 16 : place[0] + (q * 16 + e) * QUADS * 4);
                if constexpr (WIDE == 4) {
                    const float4 v = *reinterpret_cast<const float4*>(at);
                    x[0][e] = v.x, x[1][e] = v.y, x[2][e] = v.z, x[3][e] = v.w;
                } else {
                    const float2 v = *reinterpret_cast<const float2*>(at);
                    x[0][e] = v.x, x[1][e] = v.y;
                }
            }
        }
    };
    template <int APART>
    struct Rows {
        __device__ __forceinline__ explicit Rows(int) {}
    };
};
