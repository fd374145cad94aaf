// Softmax over rows; see crates/kernels/src/softmax.rs. A warp takes a row, eight rows a block.
#include "common.cuh"

__device__ __forceinline__ int row_of_warp() {
    return static_cast<int>(blockIdx.x * (BLOCK / 32) + threadIdx.x / 32);
}

// y_j = e^(x_j - max x) / sum_k e^(x_k - max x).
extern "C" __global__ void softmax_forward(const float* x, float* y, int rows, int classes) {
    const int row = row_of_warp(), lane = threadIdx.x % 32;
    if (row >= rows) {
        return;
    }
    x += static_cast<u64>(row) * classes;
    y += static_cast<u64>(row) * classes;
    float largest = -INFINITY, sum = 0.0f;
    for (int j = lane; j < classes; j += 32) {
        largest = larger(largest, x[j]);
    }
    largest = warp_max(largest);
    for (int j = lane; j < classes; j += 32) {
        y[j] = expf(x[j] - largest);
        sum += y[j];
    }
    sum = warp_sum(sum);
    for (int j = lane; j < classes; j += 32) {
        y[j] = y[j] / sum;
    }
}

// dx_j = y_j (dy_j - sum_k y_k dy_k).
extern "C" __global__ void softmax_backward(const float* y, const float* dy, float* dx, int rows, int classes,
                                            int accumulate) {
    const int row = row_of_warp(), lane = threadIdx.x % 32;
    if (row >= rows) {
        return;
    }
    const u64 start = static_cast<u64>(row) * classes;
    float dot = 0.0f;
    for (int j = lane; j < classes; j += 32) {
        dot += y[start + j] * dy[start + j];
    }
    dot = warp_sum(dot);
    for (int j = lane; j < classes; j += 32) {
        store(dx + start + j, y[start + j] * (dy[start + j] - dot), accumulate);
    }
}
