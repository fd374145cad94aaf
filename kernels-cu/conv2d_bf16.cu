// arch: compute_80
// Convolution with operands rounded to bf16; see conv2d.cuh.
#include "conv2d_halo.cuh"

typedef Mma<Bf16, 128, 128, 16, 3, 64, 32> Tile128x128;
typedef Mma<Bf16, 64, 64, 32, 3, 32, 16> Tile64x64;
typedef Mma<Bf16, 128, 32, 16, 4, 32, 32> Tile128x32;
typedef Mma<Bf16, 128, 16, 16, 4, 32, 16> Tile128x16;
typedef Halo<Bf16, 16, 4> Halo16;
typedef Halo<Bf16, 32, 2> Halo32;
typedef HaloWeight<Bf16, 16> HaloWeight16;
typedef HaloWeight<Bf16, 32> HaloWeight32;

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_bf16_forward_128x128(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x128>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(256, 3)
conv2d_bf16_forward_64x64(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile64x64>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_forward_128x32(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x32>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_forward_128x16(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_forward<Tile128x16>(g, x, w, y, parts);
}

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_bf16_backward_input_128x128(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x128>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(256, 3)
conv2d_bf16_backward_input_64x64(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile64x64>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_backward_input_128x32(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x32>(g, dy, w, dx, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_backward_input_128x16(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_backward_input<Tile128x16>(g, dy, w, dx, parts);
}

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_bf16_backward_weight_128x128(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x128>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(256, 3)
conv2d_bf16_backward_weight_64x64(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile64x64>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_backward_weight_128x32(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x32>(g, x, dy, dw);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_backward_weight_128x16(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_backward_weight<Tile128x16>(g, x, dy, dw);
}

extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_forward_halo16(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_halo<Halo16, false>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_bf16_backward_input_halo16(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_halo<Halo16, true>(g, dy, w, dx, parts);
}

extern "C" __global__ void __launch_bounds__(128, 3)
conv2d_bf16_forward_halo32(Conv2d g, const float* x, const float* w, float* y, float* parts) {
    conv2d_halo<Halo32, false>(g, x, w, y, parts);
}
extern "C" __global__ void __launch_bounds__(128, 3)
conv2d_bf16_backward_input_halo32(Conv2d g, const float* dy, const float* w, float* dx, float* parts) {
    conv2d_halo<Halo32, true>(g, dy, w, dx, parts);
}

extern "C" __global__ void __launch_bounds__(128, 3)
conv2d_bf16_backward_weight_halo16(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_halo_weight<HaloWeight16>(g, x, dy, dw);
}

extern "C" __global__ void __launch_bounds__(128, 3)
conv2d_bf16_backward_weight_halo32(Conv2d g, const float* x, const float* dy, float* dw) {
    conv2d_halo_weight<HaloWeight32>(g, x, dy, dw);
}
