// arch: compute_80 compute_75
// Convolution in f32; see conv2d.cuh. Loads are asynchronous copies, which compute_75 does not have.
#include "conv2d.cuh"

typedef Fma<128, 128, 16, 3, 8, 8> Tile128x128;
typedef Fma<64, 64, 16, 4, 8, 4> Tile64x64;
typedef Fma<128, 32, 16, 4, 8, 4> Tile128x32;
typedef Fma<128, 16, 16, 4, 4, 4> Tile128x16;

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_f32_forward_128x128(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x128>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_64x64(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile64x64>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_128x32(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x32>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_128x16(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x16>(g, x, w, y, parts);
}

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_f32_backward_input_128x128(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x128>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_64x64(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile64x64>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_128x32(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x32>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_128x16(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x16>(g, dy, w, dx, parts);
}

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_f32_backward_weight_128x128(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x128>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_weight_64x64(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile64x64>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_weight_128x32(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x32>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_weight_128x16(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x16>(g, x, dy, dw);
}
