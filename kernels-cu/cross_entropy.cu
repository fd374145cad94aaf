// Softmax cross-entropy with a weight a row; see crates/kernels/src/cross_entropy.rs.
//
// A batch is small (64 to 1,024 rows of ten classes): one block takes it whole in the forward pass, a thread a row, so
// that the loss needs no second launch and is summed in one order.
#include "common.cuh"

#define THREADS 1024

// loss = sum_i w_i sum_j target_ij (ln sum_k e^logit_ik - logit_ij) / denominator, and softmax(logits). Without weights
// all are 1. The denominator is max(sum of the weights, 1) where `kept`, else the rows. The target of a row is its label,
// of which `smoothing` is spread over all classes, or where there are no labels its row of `targets`. A label that is no
// class gives NaN.
extern "C" __global__ void __launch_bounds__(THREADS)
cross_entropy_forward(const float* logits, const int* labels, const float* targets, float smoothing,
                      const float* weights, float* probabilities, float* loss, int rows, int classes, int kept) {
    SHARED(double, totals, [32]);
    SHARED(double, sums, [32]);
    double total = 0.0, weight_sum = 0.0;
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        const float* x = logits + static_cast<u64>(row) * classes;
        float* y = probabilities + static_cast<u64>(row) * classes;
        float largest = -INFINITY, sum = 0.0f;
        for (int j = 0; j < classes; j++) {
            largest = larger(largest, x[j]);
        }
        for (int j = 0; j < classes; j++) {
            y[j] = expf(x[j] - largest);
            sum += y[j];
        }
        for (int j = 0; j < classes; j++) {
            y[j] = y[j] / sum;
        }
        const float weight = weights == nullptr ? 1.0f : weights[row];
        weight_sum += weight;
        if (weight != 0.0f) {
            const float log_sum = logf(sum);
            double row_loss = 0.0;
            if (labels == nullptr) {
                const float* target = targets + static_cast<u64>(row) * classes;
                for (int j = 0; j < classes; j++) {
                    row_loss += target[j] * (log_sum + (largest - x[j]));
                }
            } else {
                const int label = labels[row];
                const float own = label >= 0 && label < classes ? x[label] : NAN;
                const float own_loss = log_sum + (largest - own);
                row_loss = own_loss;
                if (smoothing != 0.0f) {
                    double all = 0.0;
                    for (int j = 0; j < classes; j++) {
                        all += log_sum + (largest - x[j]);
                    }
                    row_loss = (1.0f - smoothing) * own_loss + smoothing * (all / classes);
                }
            }
            total += weight * row_loss;
        }
    }
    total = block_sum<THREADS>(total, totals);
    weight_sum = block_sum<THREADS>(weight_sum, sums);
    if (threadIdx.x == 0) {
        const double denominator = kept && weights != nullptr ? fmax(weight_sum, 1.0) : rows;
        *loss = static_cast<float>(total / denominator);
    }
}

// dlogits_ij = dloss w_i (probability_ij - target_ij) / denominator. Every block sums the weights, which are few.
extern "C" __global__ void cross_entropy_backward(const float* probabilities, const int* labels,
                                                  const float* targets, float smoothing, const float* weights,
                                                  const float* dloss, float* dlogits, int rows, int classes, int kept,
                                                  int accumulate) {
    SHARED(double, scratch, [32]);
    SHARED(double, denominator, [1]);
    double sum = 0.0;
    if (kept && weights != nullptr) {
        for (int row = threadIdx.x; row < rows; row += BLOCK) {
            sum += weights[row];
        }
    }
    sum = block_sum<BLOCK>(sum, scratch);
    if (threadIdx.x == 0) {
        denominator[0] = kept && weights != nullptr ? fmax(sum, 1.0) : rows;
    }
    __syncthreads();
    const u64 i = static_cast<u64>(blockIdx.x) * BLOCK + threadIdx.x;
    if (i >= static_cast<u64>(rows) * classes) {
        return;
    }
    const int row = static_cast<int>(i / classes), j = static_cast<int>(i % classes);
    const float weight = weights == nullptr ? 1.0f : weights[row];
    // A row of weight 0 is left out whatever its logits are.
    const float scale = static_cast<float>(*dloss / denominator[0] * weight);
    float target;
    if (labels == nullptr) {
        target = targets[i];
    } else {
        target = j == labels[row] ? 1.0f - smoothing : 0.0f;
        target = smoothing == 0.0f ? target : target + smoothing / classes;
    }
    const float d = weight == 0.0f ? 0.0f : scale * (probabilities[i] - target);
    store(dlogits + i, d, accumulate);
}
