// Adam; see crates/kernels/src/adam.rs. Settings and the step's number lie on the device, so that a recorded step can be
// replayed: adam_advance counts, adam_step reads.
#include "common.cuh"

// In f64 as on the CPU; `step_size` and `root_v` are this step's lr / (1 - beta1^t) and sqrt(1 - beta2^t). A root_v of 0 marks
// a step that is left out.
struct Adam {
    double t, lr, beta1, beta2, eps, weight_decay, step_size, root_v;
};

// t += 1 and what follows from it; one thread. The step is left out where `kept` points to 0.
extern "C" __global__ void adam_advance(Adam* adam, const float* kept) {
    if (kept != nullptr && *kept == 0.0f) {
        adam->root_v = 0.0;
        return;
    }
    const double t = adam->t + 1.0;
    adam->t = t;
    adam->step_size = adam->lr / (1.0 - pow(adam->beta1, t));
    adam->root_v = sqrt(1.0 - pow(adam->beta2, t));
}

// m += (1 - beta1)(g - m), v = beta2 v + (1 - beta2) g^2, value -= step_size m / (sqrt(v) / root_v + eps), with
// g = gradient + weight_decay value. The gradients are 0 afterwards.
extern "C" __global__ void adam_step(const Adam* adam, float* values, float* grads, float* m, float* v, u64 n) {
    const u64 i = first_of_four();
    if (i >= n) {
        return;
    }
    const float4 g = load4(grads, i, n);
    store4(grads, i, n, make_float4(0.0f, 0.0f, 0.0f, 0.0f), 0);
    if (adam->root_v == 0.0) {
        return;
    }
    const float step_size = static_cast<float>(adam->step_size), root_v = static_cast<float>(adam->root_v);
    const float rest1 = static_cast<float>(1.0 - adam->beta1), rest2 = static_cast<float>(1.0 - adam->beta2);
    const float beta2 = static_cast<float>(adam->beta2), eps = static_cast<float>(adam->eps);
    const float weight_decay = static_cast<float>(adam->weight_decay);
    const auto step = [=](float g, float& value, float& m, float& v) {
        g += weight_decay * value;
        m += rest1 * (g - m);
        v = beta2 * v + rest2 * g * g;
        value -= step_size * (m / (sqrtf(v) / root_v + eps));
    };
    // Past the end 0 steps to 0, and is not stored.
    float4 a = load4(values, i, n), b = load4(m, i, n), c = load4(v, i, n);
    step(g.x, a.x, b.x, c.x);
    step(g.y, a.y, b.y, c.y);
    step(g.z, a.z, b.z, c.z);
    step(g.w, a.w, b.w, c.w);
    store4(values, i, n, a, 0);
    store4(m, i, n, b, 0);
    store4(v, i, n, c, 0);
}
