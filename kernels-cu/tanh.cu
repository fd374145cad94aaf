// Hyperbolic tangent; see crates/kernels/src/tanh.rs.
#include "common.cuh"

extern "C" __global__ void tanh_forward(const float* x, float* y, u64 n) {
    map1(x, y, n, 0, [](float x) { return tanhf(x); });
}

// dx = dy (1 - y^2).
extern "C" __global__ void tanh_backward(const float* y, const float* dy, float* dx, u64 n, int accumulate) {
    map2(y, dy, dx, n, accumulate, [](float y, float dy) { return dy * (1.0f - y * y); });
}
