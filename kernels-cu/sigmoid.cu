// Logistic function: y = 1 / (1 + e^-x); see crates/kernels/src/sigmoid.rs.
#include "common.cuh"

extern "C" __global__ void sigmoid_forward(const float* x, float* y, u64 n) {
    map1(x, y, n, 0, [](float x) { return 1.0f / (1.0f + expf(-x)); });
}

// dx = dy y (1 - y).
extern "C" __global__ void sigmoid_backward(const float* y, const float* dy, float* dx, u64 n, int accumulate) {
    map2(y, dy, dx, n, accumulate, [](float y, float dy) { return dy * y * (1.0f - y); });
}
