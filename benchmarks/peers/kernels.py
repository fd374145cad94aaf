#!/usr/bin/env python3
"""PyTorch's convolutions and batch norms on the CPU, at the layers of crates/kernels/benches/layers.json.

usage: benchmarks/peers/kernels.py [--threads N] [--layout best|channels-last|nchw] [--filter REGEX] [--json]

The rows have the names that `cargo bench -p kernels` gives ours. A convolution's two gradients are taken one by one
(aten.convolution_backward's output_mask); what we fuse with a batch norm is its eager operations here, in place where
they can be. `best` measures both layouts and shows the faster. Times are medians of samples of about 2 ms.
Needs the package torch, nothing else.
"""
import argparse, json, os, re, statistics, sys, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LAYERS = os.path.join(ROOT, "crates", "kernels", "benches", "layers.json")
EPS, MOMENTUM = 1e-5, 0.1


def convolutions(torch, layers, memory):
    """(kernel, shape, operations, call) of the three passes of every convolution."""
    for family in ("conv2d", "conv_transpose2d"):
        transposed = family == "conv_transpose2d"
        for l in layers[family]:
            c, o, k, stride, padding = l["c"], l["o"], l["kernel"], [l["stride"]] * 2, [l["padding"]] * 2
            shape = f"{l['net']} {l['size']}x{l['size']} {c}-{o} k{k} s{l['stride']}"
            x = torch.randn(layers["batch"], c, l["size"], l["size"]).to(memory_format=memory)
            w = torch.randn(*((c, o) if transposed else (o, c)), k, k).to(memory_format=memory)
            forward = lambda x=x, w=w, s=stride, p=padding, f=getattr(torch, family): f(x, w, None, s, p)
            dy = torch.randn_like(forward(), memory_format=memory)
            flops = 2 * (x if transposed else dy).numel() * w[0].numel()

            def backward(mask, x=x, w=w, dy=dy, s=stride, p=padding, t=transposed):
                return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, s, p, [1, 1], t, [0, 0], 1, mask)

            yield f"{family}_forward", shape, flops, forward
            yield f"{family}_backward_input", shape, flops, backward([True, False, False])
            yield f"{family}_backward_weight", shape, flops, backward([False, True, False])


def batch_norms(torch, layers, memory):
    """(kernel, shape, bytes as our kernels count them, call) of every batch norm, alone and with what follows it."""
    aten = torch.ops.aten
    for l in layers["batch_norm"]:
        n, size, c = layers["batch"], l["size"], l["c"]
        x, dy, residual, y = (torch.randn(n, c, size, size).to(memory_format=memory) for _ in range(4))
        gamma, beta, mean, var = torch.ones(c), torch.zeros(c), torch.zeros(c), torch.ones(c)
        saved_mean, saved_invstd = torch.zeros(c), torch.ones(c)

        def norm(x=x, gamma=gamma, beta=beta, mean=mean, var=var):
            return torch.batch_norm(x, gamma, beta, mean, var, True, MOMENTUM, EPS, False)

        def gradient(dy=dy, mask=[True] * 3, x=x, gamma=gamma, mean=mean, var=var, m=saved_mean, s=saved_invstd):
            return aten.native_batch_norm_backward(dy, x, gamma, mean, var, m, s, True, EPS, mask)

        def relu_gradient(dy=dy, y=y, gradient=gradient):
            return gradient(aten.threshold_backward(dy, y, 0))

        tensor = 4 * x.numel()
        for kernel, passes, call in [
            ("forward", 3, norm),
            ("relu_forward", 3, lambda norm=norm: norm().relu_()),
            ("add_relu_forward", 4, lambda norm=norm, r=residual: norm().add_(r).relu_()),
            ("backward", 5, gradient),
            ("relu_backward", 5, relu_gradient),
            # The residual's gradient is the ReLU's, at no cost.
            ("add_relu_backward", 8, relu_gradient),
        ]:
            yield f"batch_norm_{kernel}", f"{n}x{size}x{size}x{c}", passes * tensor, call


def median(call, seconds):
    """Seconds of a call: samples of about 2 ms for `seconds`, at least five."""
    start, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - start < seconds / 4:
        call()
        calls += 1
    each = (time.perf_counter() - start) / calls
    repeat, samples, start = max(1, round(2e-3 / each)), [], time.perf_counter()
    while len(samples) < 5 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        for _ in range(repeat):
            call()
        samples.append((time.perf_counter() - before) / repeat)
    return statistics.median(samples)


def measure(torch, a):
    with open(LAYERS) as f:
        layers = json.load(f)
    formats = {"channels-last": torch.channels_last, "nchw": torch.contiguous_format}
    rows = {}
    for layout, memory in formats.items():
        if a.layout not in ("best", layout):
            continue
        for family in (convolutions, batch_norms):
            for kernel, shape, work, call in family(torch, layers, memory):
                if re.search(a.filter, f"{kernel}/{shape}"):
                    seconds = median(call, a.seconds)
                    row = {"kernel": kernel, "shape": shape, "ms": seconds * 1e3, "rate": work / seconds * 1e-9,
                           "unit": "GFLOP/s" if family is convolutions else "GB/s", "layout": layout}
                    rows[kernel, shape] = min(rows.get((kernel, shape), row), row, key=lambda r: r["ms"])
    return sorted(rows.values(), key=lambda r: r["kernel"])


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    a.add_argument("--layout", choices=["best", "channels-last", "nchw"], default="best")
    a.add_argument("--filter", default="", help="rows whose `kernel/shape` matches")
    a.add_argument("--seconds", type=float, default=0.3, help="time a row and layout")
    a.add_argument("--json", action="store_true")
    a = a.parse_args()
    try:
        import torch
    except ImportError:
        sys.exit(f"benchmarks/peers/kernels.py needs the package torch, which {sys.executable} does not have")
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    with torch.no_grad():
        rows = measure(torch, a)
    if a.json:
        print(json.dumps({"peer": f"PyTorch {torch.__version__}", "threads": torch.get_num_threads(), "rows": rows}))
        return
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| kernel | shape | time | rate | layout |")
    print("|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['kernel']} | {r['shape']} | {r['ms']:.3f} ms | {r['rate']:.1f} {r['unit']} | {r['layout']} |")


if __name__ == "__main__":
    main()
