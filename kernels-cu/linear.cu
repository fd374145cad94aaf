// The bias of the linear layer; see crates/kernels/src/linear.rs. The products are GEMMs.
#include "common.cuh"

// y_ij (=|+=) b_j; y is [rows, outputs].
extern "C" __global__ void linear_bias(const float* b, float* y, int rows, int outputs, int accumulate) {
    const u64 i = static_cast<u64>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i < static_cast<u64>(rows) * outputs) {
        store(y + i, b[i % outputs], accumulate);
    }
}

// db_j (=|+=) sum_i dy_ij. A block of 32 x 32 threads takes 32 columns: thread (j, k) every 32nd row from k on, then
// the 32 partial sums of a column as a tree.
extern "C" __global__ void __launch_bounds__(1024)
linear_backward_bias(const float* dy, float* db, int rows, int outputs, int accumulate) {
    SHARED(float, sums, [32][33]);
    const int column = static_cast<int>(blockIdx.x * 32 + threadIdx.x);
    float sum = 0.0f;
    if (column < outputs) {
        for (int row = threadIdx.y; row < rows; row += 32) {
            sum += dy[static_cast<u64>(row) * outputs + column];
        }
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    // Warp k now holds the partial sums of column k.
    sum = warp_sum(sums[threadIdx.x][threadIdx.y]);
    const int own = static_cast<int>(blockIdx.x * 32 + threadIdx.y);
    if (threadIdx.x == 0 && own < outputs) {
        store(db + own, sum, accumulate);
    }
}
