// Leaky rectified linear unit: y = x where x > 0, else slope x; see crates/kernels/src/leaky_relu.rs.
#include "common.cuh"

extern "C" __global__ void leaky_relu_forward(const float* x, float* y, u64 n, float slope) {
    map1(x, y, n, 0, [=](float x) { return x > 0.0f ? x : slope * x; });
}

// dx = dy where y > 0, else slope dy.
extern "C" __global__ void leaky_relu_backward(const float* y, const float* dy, float* dx, u64 n, float slope,
                                               int accumulate) {
    map2(y, dy, dx, n, accumulate, [=](float y, float dy) { return y > 0.0f ? dy : slope * dy; });
}
