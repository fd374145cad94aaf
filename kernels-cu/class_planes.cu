// A class as further channels of an activation; see crates/kernels/src/class_planes.rs.
#include "common.cuh"

// x is [rows, c], y [rows, channels], rows = images * pixels; `step` lies between the numbers of two classes, or one-hot.
struct ClassPlanes {
    int rows, pixels, c, channels, one_hot;
    float step;
};

// A thread makes four neighbouring elements of y.
extern "C" __global__ void class_planes_forward(ClassPlanes g, const float* x, const int* labels, float* y) {
    const u64 n = static_cast<u64>(g.rows) * g.channels, first = first_of_four();
    for (u64 i = first; i < first + 4 && i < n; i++) {
        const int row = static_cast<int>(i / g.channels), j = static_cast<int>(i % g.channels);
        float v;
        if (j < g.c) {
            v = x[static_cast<u64>(row) * g.c + j];
        } else {
            const int label = labels[row / g.pixels];
            v = !g.one_hot ? static_cast<float>(label) * g.step - 1.0f : label == j - g.c ? 1.0f : 0.0f;
        }
        y[i] = v;
    }
}

// dx = dy without the channels of the class.
extern "C" __global__ void class_planes_backward(ClassPlanes g, const float* dy, float* dx, int accumulate) {
    const u64 n = static_cast<u64>(g.rows) * g.c, first = first_of_four();
    for (u64 i = first; i < first + 4 && i < n; i++) {
        const u64 row = i / g.c;
        store(dx + i, dy[row * g.channels + i % g.c], accumulate);
    }
}
