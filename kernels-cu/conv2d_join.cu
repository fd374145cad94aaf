// The sum over the splits of a convolution; see conv2d.cuh. A module of its own, which every precision needs.
#include "implicit_gemm.cuh"

// out (=|+=) the sum of `splits` partial results of n numbers each. A block takes 32 quads; thread (i, j) adds splits
// j, j + blockDim.y, .. of quad i in order, then the at most 32 sums of a quad are added in order.
extern "C" __global__ void __launch_bounds__(1024)
conv2d_join(const float* partial, float* out, u64 n, int splits, int accumulate) {
    SHARED(float4, sums, [32][32]);
    const u64 i = (static_cast<u64>(blockIdx.x) * 32 + threadIdx.x) * 4;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    // Several loads under way: nothing else hides their latency.
    UNROLL_BY(4)
    for (int split = threadIdx.y; split < splits; split += blockDim.y) {
        const float4 v = load4(partial + split * n, i, n);
        sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && i < n) {
        for (u32 j = 1; j < blockDim.y; j++) {
            const float4 v = sums[j][threadIdx.x];
            sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
        }
        store4(out, i, n, sum, accumulate);
    }
}

// The same for a few splits of [rows, channels], with the moments of each part of rows: its means, then its sums of squared
// deviations. A block takes blockDim.x quads of channels, from blockIdx.y's on, by JOINED_ROWS x blockDim.y rows, all of
// which there are; its 256 threads have JOINED_ROWS rows each.
constexpr int JOINED_ROWS = 2;

extern "C" __global__ void __launch_bounds__(256)
conv2d_join_moments(const float* partial, float* out, int rows, int channels, int splits, float* parts) {
    SHARED(float2, moments, [4][256]);
    const int c = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * 4;
    const u64 n = static_cast<u64>(rows) * channels;
    float4 sums[JOINED_ROWS] = {};
    UNROLL_BY(4)
    for (int split = 0; split < splits; split++) {
        UNROLL
        for (int i = 0; i < JOINED_ROWS; i++) {
            const u32 row = (blockIdx.x * JOINED_ROWS + i) * blockDim.y + threadIdx.y;
            const float4 v = load4(partial + split * n + static_cast<u64>(row) * channels, c, channels);
            sums[i] = make_float4(sums[i].x + v.x, sums[i].y + v.y, sums[i].z + v.z, sums[i].w + v.w);
        }
    }
    UNROLL
    for (int i = 0; i < JOINED_ROWS; i++) {
        const u32 row = (blockIdx.x * JOINED_ROWS + i) * blockDim.y + threadIdx.y;
        store4(out + static_cast<u64>(row) * channels, c, channels, sums[i], 0);
    }
    const float4 a = sums[0], b = sums[1];
    static_assert(JOINED_ROWS == 2, "two rows are joined here");
    float2 of[4] = {join_equal(make_float2(a.x, 0.0f), make_float2(b.x, 0.0f), 1.0f),
                    join_equal(make_float2(a.y, 0.0f), make_float2(b.y, 0.0f), 1.0f),
                    join_equal(make_float2(a.z, 0.0f), make_float2(b.z, 0.0f), 1.0f),
                    join_equal(make_float2(a.w, 0.0f), make_float2(b.w, 0.0f), 1.0f)};
    const u32 own = threadIdx.y * blockDim.x + threadIdx.x;
    UNROLL
    for (int k = 0; k < 4; k++) {
        moments[k][own] = of[k];
    }
    for (u32 half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            const float count = static_cast<float>(JOINED_ROWS * (blockDim.y / (2 * half)));
            UNROLL
            for (int k = 0; k < 4; k++) {
                of[k] = join_equal(of[k], moments[k][own + half * blockDim.x], count);
                moments[k][own] = of[k];
            }
        }
    }
    if (threadIdx.y == 0) {
        parts += static_cast<u64>(blockIdx.x) * 2 * channels;
        store4(parts, c, channels, make_float4(of[0].x, of[1].x, of[2].x, of[3].x), 0);
        store4(parts + channels, c, channels, make_float4(of[0].y, of[1].y, of[2].y, of[3].y), 0);
    }
}
