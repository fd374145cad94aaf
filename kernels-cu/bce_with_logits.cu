// Binary cross-entropy on logits, against one target for all; see crates/kernels/src/bce_with_logits.rs.
#include "common.cuh"

#define THREADS 1024

// loss = mean of max(x, 0) - x t + ln(1 + e^-|x|): one block, since there is a logit an image.
extern "C" __global__ void __launch_bounds__(THREADS)
bce_with_logits_forward(const float* x, float target, float* loss, u64 n) {
    SHARED(double, scratch, [32]);
    double sum = 0.0;
    for (u64 i = threadIdx.x; i < n; i += THREADS) {
        const float v = x[i];
        sum += (v > 0.0f || v != v ? v : 0.0f) - v * target + log1pf(expf(-fabsf(v)));
    }
    sum = block_sum<THREADS>(sum, scratch);
    if (threadIdx.x == 0) {
        *loss = static_cast<float>(sum / static_cast<double>(n));
    }
}

// dx = dloss (1 / (1 + e^-x) - target) / n.
extern "C" __global__ void bce_with_logits_backward(const float* x, float target, const float* dloss, float* dx, u64 n,
                                                    int accumulate) {
    const float scale = static_cast<float>(static_cast<double>(*dloss) / static_cast<double>(n));
    map1(x, dx, n, accumulate, [=](float x) { return scale * (1.0f / (1.0f + expf(-x)) - target); });
}
