// An exponential moving average; see crates/kernels/src/ema.rs.
#include "common.cuh"

// average += rate (x - average).
extern "C" __global__ void ema_step(float rate, const float* x, float* average, u64 n) {
    map2(x, average, average, n, 0, [=](float x, float average) { return average + rate * (x - average); });
}
