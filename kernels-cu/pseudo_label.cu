// Pseudo-labels with a confidence threshold; see crates/kernels/src/pseudo_label.rs.
#include "common.cuh"

// labels = `known`, or else argmax (the lowest on ties), confidence = the softmax there, weights = 1 where it exceeds that
// class's threshold, else 0. A warp takes a row, eight rows a block.
extern "C" __global__ void pseudo_label_forward(const float* logits, const float* thresholds, const int* known, int* labels,
                                                float* weights, float* confidence, int rows, int classes) {
    const int row = static_cast<int>(blockIdx.x * (BLOCK / 32) + threadIdx.x / 32), lane = threadIdx.x % 32;
    if (row >= rows) {
        return;
    }
    logits += static_cast<u64>(row) * classes;
    float largest = -INFINITY, sum = 0.0f;
    for (int j = lane; j < classes; j += 32) {
        largest = larger(largest, logits[j]);
    }
    largest = warp_max(largest);
    int label = classes;
    for (int j = lane; j < classes; j += 32) {
        sum += expf(logits[j] - largest);
        if (logits[j] == largest && label == classes) {
            label = j;
        }
    }
    sum = warp_sum(sum);
    for (int offset = 16; offset > 0; offset /= 2) {
        label = min(label, __shfl_xor_sync(0xFFFFFFFFu, label, offset));
    }
    if (lane == 0) {
        const float own = known == nullptr ? 1.0f : expf(logits[known[row]] - largest);
        const float p = own / sum;
        // A row with a NaN has no maximum; its label stays in range.
        label = known != nullptr ? known[row] : label == classes ? 0 : label;
        labels[row] = label;
        confidence[row] = p;
        weights[row] = p > thresholds[label] ? 1.0f : 0.0f;
    }
}
