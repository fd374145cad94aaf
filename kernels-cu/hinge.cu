// Hinge losses of a GAN; see crates/kernels/src/hinge.rs.
#include "common.cuh"

#define THREADS 1024

// A loss is margin + slope x, and where it has a margin, not below 0.
__device__ __forceinline__ bool flat(float x, float margin, float slope) {
    return margin != 0.0f && margin + slope * x <= 0.0f;
}

// loss = the mean over x: one block, since there is a logit an image.
extern "C" __global__ void __launch_bounds__(THREADS)
hinge_forward(const float* x, float margin, float slope, float* loss, u64 n) {
    SHARED(double, scratch, [32]);
    double sum = 0.0;
    for (u64 i = threadIdx.x; i < n; i += THREADS) {
        sum += flat(x[i], margin, slope) ? 0.0f : margin + slope * x[i];
    }
    sum = block_sum<THREADS>(sum, scratch);
    if (threadIdx.x == 0) {
        *loss = static_cast<float>(sum / static_cast<double>(n));
    }
}

// dx = dloss slope / n where the loss is not flat.
extern "C" __global__ void hinge_backward(const float* x, float margin, float slope, const float* dloss, float* dx, u64 n,
                                          int accumulate) {
    const float scale = static_cast<float>(slope * static_cast<double>(*dloss) / static_cast<double>(n));
    map1(x, dx, n, accumulate, [=](float x) { return flat(x, margin, slope) ? 0.0f : scale; });
}
