// Batch normalisation of [rows, channels] with the sum and the activation that follow it; see
// crates/kernels/src/batch_norm/.
//
// A block of 256 threads has blockDim.x quads of channels (from blockIdx.y's on) by blockDim.y rows at a time, so that a
// thread's channels stay the same and a warp reads whole lines; blockIdx.x is its chunk of the rows. Sums over rows are
// partial sums of each chunk, in order in a thread and as a tree over a block, then joined in f64 by a second kernel.
//
// The rows are groups of equally many, each with statistics of its own: mean, var and constants have a row of channels for
// each, and blockIdx.z is the group.
#include "common.cuh"

struct BatchNorm {
    int rows, channels, chunk, groups;  // rows of a group, and of a chunk
    float eps, slope;

    // Where this block's group begins among all elements, and among the channels of all groups.
    __device__ __forceinline__ u64 elements() const { return static_cast<u64>(blockIdx.z) * rows * channels; }
    __device__ __forceinline__ u64 vector() const { return static_cast<u64>(blockIdx.z) * channels; }
};

// Rows that a thread has under way at a time.
constexpr int ROWS = 4;

// Four neighbouring channels, in shared memory one access.
struct __align__(16) Four {
    float v[4];
};

__device__ __forceinline__ Four load_four(const float* x, int c, int channels) {
    const float4 v = load4(x, c, channels);
    return {{v.x, v.y, v.z, v.w}};
}
__device__ __forceinline__ void store_four(float* x, int c, int channels, const Four& f) {
    store4(x, c, channels, make_float4(f.v[0], f.v[1], f.v[2], f.v[3]), 0);
}

__device__ __forceinline__ int first_channel() {
    return static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x) * 4;
}

// The activation's operand but for a residual: fused by hand, so that its sign is the same in every kernel.
struct Operand {
    Four mean, scale, beta;

    __device__ __forceinline__ Operand(const BatchNorm& g, int c, const float* mean_, const float* var, const float* gamma,
                                       const float* beta_)
        : mean(load_four(mean_ + g.vector(), c, g.channels)), scale(load_four(var + g.vector(), c, g.channels)),
          beta(load_four(beta_, c, g.channels)) {
        const Four weight = load_four(gamma, c, g.channels);
        for (int k = 0; k < 4; k++) {
            scale.v[k] = weight.v[k] / __fsqrt_rn(scale.v[k] + g.eps);
        }
    }
    __device__ __forceinline__ float of(float x, int k) const {
        return fmaf(x - mean.v[k], scale.v[k], beta.v[k]);
    }
};

// The activation's derivative: by the sign of y, or without y of the operand.
__device__ __forceinline__ Four derivative_at(const BatchNorm& g, const Operand& operand, const Four& x, const float* y,
                                                  u64 at, int c) {
    Four sign;
    if (y != nullptr) {
        sign = load_four(y + at, c, g.channels);
    } else {
        for (int k = 0; k < 4; k++) {
            sign.v[k] = operand.of(x.v[k], k);
        }
    }
    for (int k = 0; k < 4; k++) {
        sign.v[k] = sign.v[k] > 0.0f ? 1.0f : g.slope;
    }
    return sign;
}

// Adds what `count_b` rows have to what `count_a` have (Chan, Golub, LeVeque 1979).
__device__ __forceinline__ void join_moments(float& count_a, Four& mean_a, Four& m2_a, float count_b, const Four& mean_b,
                                             const Four& m2_b) {
    if (count_b == 0.0f) {
        return;
    }
    const float share = count_b / (count_a + count_b);
    for (int k = 0; k < 4; k++) {
        const float delta = mean_b.v[k] - mean_a.v[k];
        mean_a.v[k] = fmaf(delta, share, mean_a.v[k]);
        m2_a.v[k] += fmaf(delta * delta, count_a * share, m2_b.v[k]);
    }
    count_a += count_b;
}

// The moments of all threads with the same channels, as a tree over the block's rows; threadIdx.y 0 has them.
__device__ __forceinline__ void join_block(float& count, Four& mean, Four& m2) {
    SHARED(Four, means, [256]);
    SHARED(Four, m2s, [256]);
    SHARED(float, counts, [256]);
    const u32 own = threadIdx.y * blockDim.x + threadIdx.x;
    means[own] = mean;
    m2s[own] = m2;
    counts[own] = count;
    for (u32 half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            const u32 other = own + half * blockDim.x;
            join_moments(count, mean, m2, counts[other], means[other], m2s[other]);
            means[own] = mean;
            m2s[own] = m2;
            counts[own] = count;
        }
    }
}

// partial[chunk] = the mean of x - x[0] over the chunk's rows, and the sum of squared deviations from it, a row of
// channels each. Differences from the first row are exact where x is far from 0 and varies little.
extern "C" __global__ void __launch_bounds__(256)
batch_norm_statistics_partial(BatchNorm g, const float* x, float* partial) {
    const int c = first_channel(), end = min(static_cast<int>(blockIdx.x + 1) * g.chunk, g.rows);
    x += g.elements();
    const Four origin = load_four(x, c, g.channels);
    Four mean = {}, m2 = {};
    float count = 0.0f;
    for (int row = static_cast<int>(blockIdx.x) * g.chunk + threadIdx.y; row < end; row += ROWS * blockDim.y) {
        Four d[ROWS], sum = {}, squares = {};
        int rows = 0;
        for (int i = 0; i < ROWS; i++) {
            const int at = row + i * static_cast<int>(blockDim.y);
            if (at < end) {
                d[i] = load_four(x + static_cast<u64>(at) * g.channels, c, g.channels);
                rows++;
            }
        }
        for (int i = 0; i < ROWS; i++) {
            for (int k = 0; k < 4; k++) {
                d[i].v[k] = i < rows ? d[i].v[k] - origin.v[k] : 0.0f;
                sum.v[k] += d[i].v[k];
            }
        }
        for (int k = 0; k < 4; k++) {
            sum.v[k] /= static_cast<float>(rows);
            for (int i = 0; i < ROWS; i++) {
                const float deviation = i < rows ? d[i].v[k] - sum.v[k] : 0.0f;
                squares.v[k] = fmaf(deviation, deviation, squares.v[k]);
            }
        }
        join_moments(count, mean, m2, static_cast<float>(rows), sum, squares);
    }
    join_block(count, mean, m2);
    if (threadIdx.y == 0) {
        partial += (static_cast<u64>(blockIdx.z) * gridDim.x + blockIdx.x) * 2 * g.channels;
        store_four(partial, c, g.channels, mean);
        store_four(partial + g.channels, c, g.channels, m2);
    }
}

// joined[run] = the moments of g.chunk neighbouring parts of `rows` rows each, as conv2d.cuh writes them.
extern "C" __global__ void __launch_bounds__(256)
batch_norm_join_parts(BatchNorm g, int rows, const float* parts, float* joined) {
    const int c = first_channel();
    Four mean = {}, m2 = {};
    float count = 0.0f;
    parts += static_cast<u64>(blockIdx.x) * g.chunk * 2 * g.channels;
    UNROLL_BY(4)
    for (int part = threadIdx.y; part < g.chunk; part += blockDim.y) {
        const float* moments = parts + static_cast<u64>(part) * 2 * g.channels;
        join_moments(count, mean, m2, static_cast<float>(rows), load_four(moments, c, g.channels),
                     load_four(moments + g.channels, c, g.channels));
    }
    join_block(count, mean, m2);
    if (threadIdx.y == 0) {
        joined += static_cast<u64>(blockIdx.x) * 2 * g.channels;
        store_four(joined, c, g.channels, mean);
        store_four(joined + g.channels, c, g.channels, m2);
    }
}

// A block of the joining kernels: eight channels by JOINERS threads, each with every JOINERS-th chunk, of one or two groups at
// a time.
constexpr int JOINED = 8, JOINERS = 64;

// The sums of two numbers over the JOINERS threads of a channel and group, as a tree; threadIdx.y 0 has them.
__device__ __forceinline__ void join_two(double& first, double& second) {
    SHARED(double, firsts, [2 * JOINERS * JOINED]);
    SHARED(double, seconds, [2 * JOINERS * JOINED]);
    const u32 own = (threadIdx.z * JOINERS + threadIdx.y) * JOINED + threadIdx.x;
    firsts[own] = first;
    seconds[own] = second;
    for (u32 half = JOINERS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            first += firsts[own + half * JOINED];
            second += seconds[own + half * JOINED];
            firsts[own] = first;
            seconds[own] = second;
        }
    }
}

// mean and biased variance of each group from the moments of its chunks, and where wanted the running statistics, which those of
// the first `moving` groups move one after the other as PyTorch does. The chunks' means are relative to the group's first row
// of x, where that is not null.
// With means relative to the first chunk's and f64, M2 = sum m2 + sum n mean^2 - (sum n mean)^2 / rows loses nothing.
extern "C" __global__ void __launch_bounds__(1024)
batch_norm_statistics(BatchNorm g, int chunks, const float* x, const float* partial, float* mean, float* var,
                      float* running_mean, float* running_var, int moving, float momentum) {
    SHARED(float2, found, [2][JOINED]);
    const int c = static_cast<int>(blockIdx.x) * JOINED + threadIdx.x;
    UNROLL_BY(1)
    for (int first = 0; first < g.groups; first += blockDim.z) {
        const int group = first + threadIdx.z;
        const bool own = c < g.channels && group < g.groups;
        double sum = 0.0, squares = 0.0, shift = 0.0;
        if (own) {
            const float* of_group = partial + static_cast<u64>(group) * chunks * 2 * g.channels + c;
            shift = of_group[0];
            UNROLL_BY(4)
            for (int chunk = threadIdx.y; chunk < chunks; chunk += JOINERS) {
                const float* moments = of_group + static_cast<u64>(chunk) * 2 * g.channels;
                const double rows = min(g.chunk, g.rows - chunk * g.chunk), at = moments[0] - shift;
                sum += rows * at;
                squares += moments[g.channels] + rows * at * at;
            }
        }
        join_two(sum, squares);
        if (threadIdx.y == 0 && own) {
            const double at = sum / g.rows, m2 = squares - sum * at;
            const double origin = x == nullptr ? 0.0 : x[static_cast<u64>(group) * g.rows * g.channels + c];
            const float m = static_cast<float>(origin + (shift + at)), v = static_cast<float>((m2 > 0.0 ? m2 : 0.0) / g.rows);
            mean[group * g.channels + c] = m;
            var[group * g.channels + c] = v;
            found[threadIdx.z][threadIdx.x] = make_float2(m, v);
        }
        // The next groups' numbers may come, and the running statistics read all of these.
        __syncthreads();
        if (threadIdx.y == 0 && threadIdx.z == 0 && c < g.channels) {
            for (int group = first; group < min(moving, first + static_cast<int>(blockDim.z)); group++) {
                const float2 of = found[group - first][threadIdx.x];
                const float unbiased = of.y * static_cast<float>(static_cast<double>(g.rows) / (g.rows - 1));
                running_mean[c] = (1.0f - momentum) * running_mean[c] + momentum * of.x;
                running_var[c] = (1.0f - momentum) * running_var[c] + momentum * unbiased;
            }
        }
    }
}

// y = act(gamma (x - mean) / sqrt(var + eps) + beta [+ residual]).
extern "C" __global__ void __launch_bounds__(256)
batch_norm_forward(BatchNorm g, const float* x, const float* mean, const float* var, const float* gamma, const float* beta,
                   const float* residual, float* y) {
    const int c = first_channel(), end = min(static_cast<int>(blockIdx.x + 1) * g.chunk, g.rows);
    const Operand operand(g, c, mean, var, gamma, beta);
    UNROLL_BY(4)
    for (int row = static_cast<int>(blockIdx.x) * g.chunk + threadIdx.y; row < end; row += blockDim.y) {
        const u64 at = g.elements() + static_cast<u64>(row) * g.channels;
        Four v = load_four(x + at, c, g.channels), added = {};
        if (residual != nullptr) {
            added = load_four(residual + at, c, g.channels);
        }
        for (int k = 0; k < 4; k++) {
            const float z = operand.of(v.v[k], k) + added.v[k];
            v.v[k] = z > 0.0f ? z : g.slope * z;
        }
        store_four(y + at, c, g.channels, v);
    }
}

// partial[chunk] = the sums of dz and of dz (x - mean) over the chunk's rows, a row of channels each.
extern "C" __global__ void __launch_bounds__(256)
batch_norm_sums_partial(BatchNorm g, const float* x, const float* y, const float* dy, const float* mean, const float* var,
                        const float* gamma, const float* beta, float* partial) {
    SHARED(Four, first, [256]);
    SHARED(Four, second, [256]);
    const int c = first_channel(), end = min(static_cast<int>(blockIdx.x + 1) * g.chunk, g.rows);
    const Operand operand(g, c, mean, var, gamma, beta);
    Four sum = {}, sum_d = {};
    UNROLL_BY(4)
    for (int row = static_cast<int>(blockIdx.x) * g.chunk + threadIdx.y; row < end; row += blockDim.y) {
        const u64 at = g.elements() + static_cast<u64>(row) * g.channels;
        const Four v = load_four(x + at, c, g.channels), d = load_four(dy + at, c, g.channels);
        const Four derivative = derivative_at(g, operand, v, y, at, c);
        for (int k = 0; k < 4; k++) {
            const float dz = d.v[k] * derivative.v[k];
            sum.v[k] += dz;
            sum_d.v[k] = fmaf(dz, v.v[k] - operand.mean.v[k], sum_d.v[k]);
        }
    }
    const u32 own = threadIdx.y * blockDim.x + threadIdx.x;
    first[own] = sum;
    second[own] = sum_d;
    for (u32 half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) {
            const u32 other = own + half * blockDim.x;
            for (int k = 0; k < 4; k++) {
                sum.v[k] += first[other].v[k];
                sum_d.v[k] += second[other].v[k];
            }
            first[own] = sum;
            second[own] = sum_d;
        }
    }
    if (threadIdx.y == 0) {
        partial += (static_cast<u64>(blockIdx.z) * gridDim.x + blockIdx.x) * 2 * g.channels;
        store_four(partial, c, g.channels, sum);
        store_four(partial + g.channels, c, g.channels, sum_d);
    }
}

// dgamma, dbeta (where not null) over all groups, and for each of dx = factor (dz - center - (x - mean) slant) the three
// constants, a row each; the statistics are x's own (`batch`) or given ones.
extern "C" __global__ void __launch_bounds__(1024)
batch_norm_sums(BatchNorm g, int chunks, int batch, const float* partial, const float* var, const float* gamma, float* dgamma,
                int add_dgamma, float* dbeta, int add_dbeta, float* constants) {
    SHARED(double, totals, [2][2][JOINED]);
    const int c = static_cast<int>(blockIdx.x) * JOINED + threadIdx.x;
    double dgamma_sum = 0.0, dbeta_sum = 0.0;
    UNROLL_BY(1)
    for (int first = 0; first < g.groups; first += blockDim.z) {
        const int group = first + threadIdx.z;
        const bool own = c < g.channels && group < g.groups;
        double sum = 0.0, sum_d = 0.0;
        if (own) {
            UNROLL_BY(4)
            for (int chunk = threadIdx.y; chunk < chunks; chunk += JOINERS) {
                const float* sums = partial + (static_cast<u64>(group) * chunks + chunk) * 2 * g.channels + c;
                sum += sums[0];
                sum_d += sums[g.channels];
            }
        }
        join_two(sum, sum_d);
        if (threadIdx.y == 0 && own) {
            const double s = 1.0 / sqrt(static_cast<double>(var[group * g.channels + c]) + g.eps);
            float* of_group = constants + static_cast<u64>(group) * 3 * g.channels + c;
            of_group[0] = static_cast<float>(gamma[c] * s);
            of_group[g.channels] = batch ? static_cast<float>(sum / g.rows) : 0.0f;
            of_group[2 * g.channels] = batch ? static_cast<float>(sum_d * s * s / g.rows) : 0.0f;
            dgamma_sum += sum_d * s;
            dbeta_sum += sum;
            totals[threadIdx.z][0][threadIdx.x] = dgamma_sum;
            totals[threadIdx.z][1][threadIdx.x] = dbeta_sum;
        }
        // The next groups' numbers may come, and one thread reads all totals.
        __syncthreads();
    }
    if (threadIdx.y == 0 && threadIdx.z == 0 && c < g.channels) {
        if (blockDim.z == 2) {
            dgamma_sum += totals[1][0][threadIdx.x];
            dbeta_sum += totals[1][1][threadIdx.x];
        }
        if (dgamma != nullptr) {
            store(dgamma + c, static_cast<float>(dgamma_sum), add_dgamma);
        }
        if (dbeta != nullptr) {
            store(dbeta + c, static_cast<float>(dbeta_sum), add_dbeta);
        }
    }
}

// Turns dy into dx where it lies; dresidual = dz where not null.
extern "C" __global__ void __launch_bounds__(256)
batch_norm_backward(BatchNorm g, const float* x, const float* y, float* dy, const float* mean, const float* var,
                    const float* gamma, const float* beta, const float* constants, float* dresidual) {
    const int c = first_channel(), end = min(static_cast<int>(blockIdx.x + 1) * g.chunk, g.rows);
    const Operand operand(g, c, mean, var, gamma, beta);
    constants += g.vector() * 3;
    const Four factor = load_four(constants, c, g.channels);
    const Four center = load_four(constants + g.channels, c, g.channels);
    const Four slant = load_four(constants + 2 * g.channels, c, g.channels);
    UNROLL_BY(2)
    for (int row = static_cast<int>(blockIdx.x) * g.chunk + threadIdx.y; row < end; row += blockDim.y) {
        const u64 at = g.elements() + static_cast<u64>(row) * g.channels;
        const Four v = load_four(x + at, c, g.channels);
        Four d = load_four(dy + at, c, g.channels);
        const Four derivative = derivative_at(g, operand, v, y, at, c);
        for (int k = 0; k < 4; k++) {
            d.v[k] *= derivative.v[k];
        }
        if (dresidual != nullptr) {
            store_four(dresidual + at, c, g.channels, d);
        }
        for (int k = 0; k < 4; k++) {
            d.v[k] = factor.v[k] * (d.v[k] - center.v[k] - (v.v[k] - operand.mean.v[k]) * slant.v[k]);
        }
        store_four(dy + at, c, g.channels, d);
    }
}
