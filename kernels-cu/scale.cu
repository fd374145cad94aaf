// Product with a number: y = alpha x; see crates/kernels/src/scale.rs.
#include "common.cuh"

extern "C" __global__ void scale_forward(float alpha, const float* x, float* y, u64 n, int accumulate) {
    map1(x, y, n, accumulate, [=](float x) { return alpha * x; });
}
