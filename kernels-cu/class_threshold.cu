// A confidence threshold a class; see crates/kernels/src/class_threshold.rs.
#include "common.cuh"

#define THREADS 1024

// average = decay average + (1 - decay) the mean over rows, thresholds = threshold average / the largest: one block, a
// thread a class, rows in order.
extern "C" __global__ void __launch_bounds__(THREADS)
class_threshold_step(const float* probabilities, float decay, float threshold, float* average, float* thresholds, int rows,
                     int classes) {
    SHARED(float, scratch, [32]);
    SHARED(float, whole, [1]);
    float largest = 0.0f;
    for (int c = threadIdx.x; c < classes; c += THREADS) {
        double sum = 0.0;
        for (int row = 0; row < rows; row++) {
            const float p = probabilities[static_cast<u64>(row) * classes + c];
            sum += p >= 0.0f ? p : 0.0f;
        }
        const float mean = static_cast<float>(sum / rows);
        average[c] += (1.0f - decay) * (mean - average[c]);
        largest = larger(largest, average[c]);
    }
    largest = warp_max(largest);
    if (threadIdx.x % 32 == 0) {
        scratch[threadIdx.x / 32] = largest;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        largest = warp_max(scratch[threadIdx.x]);
        if (threadIdx.x == 0) {
            whole[0] = largest;
        }
    }
    __syncthreads();
    for (int c = threadIdx.x; c < classes; c += THREADS) {
        thresholds[c] = whole[0] > 0.0f ? threshold * (average[c] / whole[0]) : threshold;
    }
}
