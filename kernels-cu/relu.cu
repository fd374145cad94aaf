// Rectified linear unit: y = max(x, 0), NaN stays NaN; see crates/kernels/src/relu.rs.
#include "common.cuh"

extern "C" __global__ void relu_forward(const float* x, float* y, u64 n) {
    map1(x, y, n, 0, [](float x) { return x <= 0.0f ? 0.0f : x; });
}

// dx = dy where y > 0, else 0.
extern "C" __global__ void relu_backward(const float* y, const float* dy, float* dx, u64 n, int accumulate) {
    map2(y, dy, dx, n, accumulate, [](float y, float dy) { return y > 0.0f ? dy : 0.0f; });
}
