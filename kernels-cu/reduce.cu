// The sum of everything, and the place of each row's maximum; see crates/kernels/src/reduce.rs.
#include "common.cuh"

// Elements whose sum a block takes: eight float4 a thread.
constexpr u64 SUM_CHUNK = 8192;

// partial_b = the sum of the b-th 8,192 elements.
extern "C" __global__ void reduce_sum_partial(const float* x, float* partial, u64 n) {
    SHARED(float, scratch, [32]);
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    for (u64 i = threadIdx.x * 4; i < SUM_CHUNK; i += BLOCK * 4) {
        const float4 v = load4(x, blockIdx.x * SUM_CHUNK + i, n);
        sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    const float total = block_sum<BLOCK>((sum.x + sum.y) + (sum.z + sum.w), scratch);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = total;
    }
}

// out = the sum of the partials, in f64; one block.
extern "C" __global__ void reduce_sum_final(const float* partial, float* out, u64 count) {
    SHARED(double, scratch, [32]);
    double sum = 0.0;
    for (u64 i = threadIdx.x; i < count; i += BLOCK) {
        sum += partial[i];
    }
    sum = block_sum<BLOCK>(sum, scratch);
    if (threadIdx.x == 0) {
        *out = static_cast<float>(sum);
    }
}

// Row `row` belongs to a warp: eight rows a block.
__device__ __forceinline__ int row_of_warp() {
    return static_cast<int>(blockIdx.x * (BLOCK / 32) + threadIdx.x / 32);
}

// The lowest j of the largest; a NaN is never larger.
extern "C" __global__ void reduce_argmax(const float* x, int* out, int rows, int cols) {
    const int row = row_of_warp();
    if (row >= rows) {
        return;
    }
    x += static_cast<u64>(row) * cols;
    float best = -INFINITY;
    int at = cols;
    for (int j = threadIdx.x % 32; j < cols; j += 32) {
        if (x[j] > best || (x[j] == best && at == cols)) {
            best = x[j];
            at = j;
        }
    }
    for (int offset = 16; offset > 0; offset /= 2) {
        const float other = __shfl_xor_sync(0xFFFFFFFFu, best, offset);
        const int other_at = __shfl_xor_sync(0xFFFFFFFFu, at, offset);
        if (other > best || (other == best && other_at < at)) {
            best = other;
            at = other_at;
        }
    }
    if (threadIdx.x % 32 == 0) {
        // Nothing is larger than a NaN in front.
        out[row] = x[0] != x[0] ? 0 : at;
    }
}
