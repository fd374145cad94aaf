// arch: compute_80
// Convolution in f32, and the sum over splits; see conv2d.cuh. Loads are asynchronous copies.
#include "conv2d.cuh"

typedef Fma<128, 128, 16, 3, 8, 8> Tile128x128;
typedef Fma<64, 64, 16, 4, 8, 4> Tile64x64;
typedef Fma<128, 32, 16, 4, 8, 4> Tile128x32;
typedef Fma<128, 16, 16, 4, 4, 4> Tile128x16;

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_f32_forward_128x128(Conv2d g, const float* x, const float* w, float* y) {
    conv2d_forward<Tile128x128>(g, x, w, y);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_64x64(Conv2d g, const float* x, const float* w, float* y) {
    conv2d_forward<Tile64x64>(g, x, w, y);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_128x32(Conv2d g, const float* x, const float* w, float* y) {
    conv2d_forward<Tile128x32>(g, x, w, y);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_forward_128x16(Conv2d g, const float* x, const float* w, float* y) {
    conv2d_forward<Tile128x16>(g, x, w, y);
}

extern "C" __global__ void __launch_bounds__(256, 2)
conv2d_f32_backward_input_128x128(Conv2d g, const float* dy, const float* w, float* dx) {
    conv2d_backward_input<Tile128x128>(g, dy, w, dx);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_64x64(Conv2d g, const float* dy, const float* w, float* dx) {
    conv2d_backward_input<Tile64x64>(g, dy, w, dx);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_128x32(Conv2d g, const float* dy, const float* w, float* dx) {
    conv2d_backward_input<Tile128x32>(g, dy, w, dx);
}
extern "C" __global__ void __launch_bounds__(128, 4)
conv2d_f32_backward_input_128x16(Conv2d g, const float* dy, const float* w, float* dx) {
    conv2d_backward_input<Tile128x16>(g, dy, w, dx);
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

// out (=|+=) the sum of `splits` partial results of n numbers each. A block takes 32 quads; thread (i, j) adds splits
// j, j + blockDim.y, .. of quad i in order, then the at most 32 sums of a quad are added in order.
extern "C" __global__ void __launch_bounds__(1024)
conv2d_join(const float* partial, float* out, u64 n, int splits, int accumulate) {
    SHARED(float4, sums, [32][32]);
    const u64 i = (static_cast<u64>(blockIdx.x) * 32 + threadIdx.x) * 4;
    float4 sum = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    // Several loads under way: nothing else hides their latency.
    UNROLL_BY(4)
    for (int split = threadIdx.y; split < splits; split += blockDim.y) {
        const float4 v = load4(partial + split * n, i, n);
        sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
    }
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && i < n) {
        for (u32 j = 1; j < blockDim.y; j++) {
            const float4 v = sums[j][threadIdx.x];
            sum = make_float4(sum.x + v.x, sum.y + v.y, sum.z + v.z, sum.w + v.w);
        }
        store4(out, i, n, sum, accumulate);
    }
}
