// A weight over its largest singular value; see crates/kernels/src/spectral_norm.rs.
#include "common.cuh"

#define THREADS 1024

// v_j = the sum over i of u_i w_ij: a thread a column, rows in order.
extern "C" __global__ void spectral_norm_columns(const float* w, const float* u, float* v, int rows, int cols) {
    const int j = static_cast<int>(blockIdx.x * BLOCK + threadIdx.x);
    if (j >= cols) {
        return;
    }
    float sum = 0.0f;
    UNROLL_BY(8)
    for (int i = 0; i < rows; i++) {
        sum += u[i] * w[static_cast<u64>(i) * cols + j];
    }
    v[j] = sum;
}

// out_i = the sum over j of a_ij b_ij, where the rows of b are `stride` apart (0: all are the same). A warp takes a row.
extern "C" __global__ void spectral_norm_dots(const float* a, const float* b, float* out, int rows, int cols, int stride) {
    const int row = static_cast<int>(blockIdx.x * (BLOCK / 32) + threadIdx.x / 32);
    if (row >= rows) {
        return;
    }
    a += static_cast<u64>(row) * cols;
    b += static_cast<u64>(row) * stride;
    float sum = 0.0f;
    for (int j = threadIdx.x % 32; j < cols; j += 32) {
        sum += a[j] * b[j];
    }
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) {
        out[row] = sum;
    }
}

// x = x / |x|, length = |x| where it is asked for: one block.
extern "C" __global__ void __launch_bounds__(THREADS) spectral_norm_unit(float* x, float* length, int n) {
    SHARED(double, scratch, [32]);
    SHARED(double, whole, [1]);
    double sum = 0.0;
    for (int i = threadIdx.x; i < n; i += THREADS) {
        sum += static_cast<double>(x[i]) * x[i];
    }
    sum = block_sum<THREADS>(sum, scratch);
    if (threadIdx.x == 0) {
        const double length = sqrt(sum);
        // Not by fmax, which would make a number of NaN.
        whole[0] = length < 1e-12 ? 1e-12 : length;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += THREADS) {
        x[i] = static_cast<float>(x[i] / whole[0]);
    }
    if (threadIdx.x == 0 && length != nullptr) {
        *length = static_cast<float>(whole[0]);
    }
}

// y = w / sigma.
extern "C" __global__ void spectral_norm_forward(const float* w, const float* sigma, float* y, u64 n) {
    const float factor = 1.0f / *sigma;
    map1(w, y, n, 0, [=](float w) { return factor * w; });
}

// dw = (dy - (the sum of dots) u v^T) / sigma. A warp takes a row, and sums the dots again, in the same order each.
extern "C" __global__ void spectral_norm_backward(const float* dy, const float* dots, const float* u, const float* v,
                                                  const float* sigma, float* dw, int rows, int cols, int accumulate) {
    const int row = static_cast<int>(blockIdx.x * (BLOCK / 32) + threadIdx.x / 32), lane = threadIdx.x % 32;
    if (row >= rows) {
        return;
    }
    double dot = 0.0;
    for (int i = lane; i < rows; i += 32) {
        dot += dots[i];
    }
    dot = warp_sum(dot);
    const float factor = 1.0f / *sigma, along = static_cast<float>(dot * u[row]);
    const u64 first = static_cast<u64>(row) * cols;
    for (int j = lane; j < cols; j += 32) {
        store(dw + first + j, factor * (dy[first + j] - along * v[j]), accumulate);
    }
}
