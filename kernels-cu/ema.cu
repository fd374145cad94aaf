// An exponential moving average; see crates/kernels/src/ema.rs.
#include "common.cuh"

// average += rate (x - average); rate is one number.
extern "C" __global__ void ema_step(const float* rate_at, const float* x, float* average, u64 n) {
    const float rate = *rate_at;
    map2(x, average, average, n, 0, [=](float x, float average) { return average + rate * (x - average); });
}
