// Stochastic gradient descent with momentum; see crates/kernels/src/sgd.rs. Settings lie on the device.
#include "common.cuh"

struct Sgd {
    float lr, momentum, weight_decay;
};

// velocity = momentum velocity + g, value -= lr velocity, with g = gradient + weight_decay value.
extern "C" __global__ void sgd_step(const Sgd* settings, float* values, const float* grads, float* velocity, u64 n) {
    const u64 i = first_of_four();
    if (i >= n) {
        return;
    }
    const Sgd sgd = *settings;
    const auto step = [=](float g, float& value, float& velocity) {
        g += sgd.weight_decay * value;
        velocity = sgd.momentum * velocity + g;
        value -= sgd.lr * velocity;
    };
    const float4 g = load4(grads, i, n);
    float4 a = load4(values, i, n);
    float4 b = load4(velocity, i, n);
    step(g.x, a.x, b.x);
    step(g.y, a.y, b.y);
    step(g.z, a.z, b.z);
    step(g.w, a.w, b.w);
    store4(values, i, n, a, 0);
    store4(velocity, i, n, b, 0);
}
