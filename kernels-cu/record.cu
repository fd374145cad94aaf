// What an iteration found, as one row of numbers; see crates/kernels/src/record.rs.
#include "common.cuh"

// Where the parts lie; null where a method has no such part.
struct Found {
    const float *loss_d_real, *loss_d_fake, *loss_g;
    const float* loss_c_real;
    const int *predicted, *labels;
    const float* loss_c_fake;
    const int* pseudo_labels;
    const float *weights, *confidence;
};

__device__ __forceinline__ float scalar(const float* x) {
    return x == nullptr ? 0.0f : *x;
}

// Row *next % capacity of rows, then *next += 1; one block of a warp for each column.
//
// The columns are loss_d_real, loss_d_fake, loss_g, loss_c_real, loss_c_fake, correct, the sum of the confidences, and the
// kept rows of each class. Counts are exact, sums in a fixed order.
extern "C" __global__ void record_row(Found found, int n, int classes, int capacity, float* rows, int* next) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int number = *next, columns = 7 + classes;
    float* row = rows + static_cast<u64>(number % capacity) * columns;
    // All have read `next`.
    __syncthreads();
    if (threadIdx.x == 0) {
        *next = number + 1;
        row[0] = scalar(found.loss_d_real);
        row[1] = scalar(found.loss_d_fake);
        row[2] = scalar(found.loss_g);
        row[3] = scalar(found.loss_c_real);
        row[4] = scalar(found.loss_c_fake);
    }
    for (int column = 5 + warp; column < columns; column += warps) {
        float sum = 0.0f;
        for (int i = lane; i < n; i += 32) {
            if (column == 5) {
                sum += found.predicted[i] == found.labels[i] ? 1.0f : 0.0f;
            } else if (found.weights != nullptr) {
                const bool counts = column == 6 || (found.pseudo_labels[i] == column - 7 && found.weights[i] != 0.0f);
                sum += !counts ? 0.0f : column == 6 ? found.confidence[i] : 1.0f;
            }
        }
        sum = warp_sum(sum);
        if (lane == 0) {
            row[column] = sum;
        }
    }
}
