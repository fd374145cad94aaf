#!/usr/bin/env python3
"""EC-GAN's training iteration in PyTorch on a GPU, to measure `ecgan bench --device cuda` against (tools/gpu-check).

usage: benchmarks/peers/iteration_cuda.py [--batch 64] [--width 16] [--precision f32|tf32|bf16] [--steps 200]
                                          [--mode eager compile graph ..] [--serve] [--device cuda]

The iteration is that of iteration.py beside this file, whose networks it takes; channels last unless compiled (2.11 then fails at the
generator's 1x1 input; its compiler chooses the convolutions' layout itself), fused Adam, cuDNN's own
search for the fastest algorithm, noise drawn on the device. Modes: `eager`; `compile`, the networks through
torch.compile; `reduce-overhead`, the same with that mode of it, PyTorch's own CUDA graphs; `graph`, the whole iteration with
its three Adam steps recorded as one CUDA graph and replayed; `compile-graph`, both; `autotune-graph`, the same with
torch.compile's mode max-autotune-no-cudagraphs; `eager-nchw` and `graph-nchw`, in PyTorch's default layout. tf32 is PyTorch's
switch for convolutions and products, bf16 its autocast.

Prints one JSON object for each mode: the mean of --steps iterations between two CUDA events, after a warm-up, or what
went wrong as "error". --serve waits for a mode's name on each line of stdin and measures that one: the first time it is
prepared, later only run, so that several programs can be measured in turn.
"""
import argparse, contextlib, json, os, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import torch
from torch.nn import functional as F

from iteration import BETAS, CLASSES, LAMBDA, LR, NOISE, WEIGHT_DECAY, classifier, descend, discriminator, generator
from iteration import pseudo_label_loss

# How the networks are compiled, in each mode.
MODES = {"eager": None, "graph": None, "eager-nchw": None, "graph-nchw": None, "compile": "default",
         "compile-graph": "default", "reduce-overhead": "reduce-overhead", "autotune-graph": "max-autotune-no-cudagraphs"}
WARM_UP = 11


class EcGan:
    """The networks, their Adams and one batch, all on the device."""

    def __init__(self, a, mode):
        device, compiled = torch.device(a.device), MODES[mode]
        layout = torch.contiguous_format if compiled or mode.endswith("nchw") else torch.channels_last
        gpu = device.type == "cuda"
        nets = [net.to(device, memory_format=layout) for net in (generator(), discriminator(), classifier(a.width))]
        # A recorded step needs Adam's step count on the device.
        adam = lambda net, decay: torch.optim.Adam(
            net.parameters(), lr=LR, betas=BETAS, weight_decay=decay, fused=True, capturable=gpu)
        self.adam_g, self.adam_d, self.adam_c = map(adam, nets, [0.0, WEIGHT_DECAY, WEIGHT_DECAY])
        self.g, self.d, self.c = [torch.compile(net, mode=compiled) for net in nets] if compiled else nets
        self.graphs_of_its_own = compiled == "reduce-overhead"
        self.d_weights = list(nets[1].parameters())
        self.real, self.fake = torch.ones(a.batch, device=device), torch.zeros(a.batch, device=device)
        x = torch.rand(a.batch, 3, 32, 32, device=device) * 2 - 1
        self.x = x.to(memory_format=layout)
        self.labels = torch.randint(CLASSES, (a.batch,), device=device)
        # A context keeps the cast weights until it ends: each spans one network's use, up to its next update.
        self.cast = lambda: (
            torch.autocast(device.type, torch.bfloat16) if a.precision == "bf16" else contextlib.nullcontext())

    def step(self):
        bce = F.binary_cross_entropy_with_logits
        if self.graphs_of_its_own:
            torch.compiler.cudagraph_mark_step_begin()
        z = torch.randn(len(self.x), NOISE, 1, 1, device=self.x.device)
        with self.cast():
            images = self.g(z)
            fakes = images.detach()
            loss = bce(self.d(self.x), self.real) + bce(self.d(fakes), self.fake)
        descend(self.adam_d, loss)
        # D's weights get no gradient from G's loss.
        for weight in self.d_weights:
            weight.requires_grad_(False)
        with self.cast():
            loss = bce(self.d(images), self.real)
        descend(self.adam_g, loss)
        for weight in self.d_weights:
            weight.requires_grad_(True)
        with self.cast():
            loss = F.cross_entropy(self.c(self.x), self.labels) + LAMBDA * pseudo_label_loss(self.c(fakes))
        descend(self.adam_c, loss)
        return loss.detach()


def recorded(step):
    """Warms `step` up on a stream of its own, records it, and gives what replays it.

    The graph reads the networks and the batch where they lie, so what replays it keeps `step`, which owns them.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay(owner=step):
        graph.replay()
        return loss

    return replay


def prepare(a, mode):
    """The iteration in this mode, warm."""
    torch.manual_seed(0)
    step = EcGan(a, mode).step
    if "graph" in mode:
        step = recorded(step)
    for _ in range(WARM_UP if a.device.startswith("cuda") else 1):
        loss = step()
    if not torch.isfinite(loss).item():
        raise FloatingPointError(f"the classifier's loss is {loss.item()}")
    return step


def ms_per_step(a, step):
    if not a.device.startswith("cuda"):
        began = time.perf_counter()
        for _ in range(a.steps):
            step()
        return (time.perf_counter() - began) * 1e3 / a.steps
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    began.record()
    for _ in range(a.steps):
        step()
    ended.record()
    torch.cuda.synchronize()
    return began.elapsed_time(ended) / a.steps


def measure(a, ready, mode):
    """One JSON object: the figures, or the error. `ready` holds what was prepared before."""
    told = {"mode": mode, "precision": a.precision, "batch": a.batch, "width": a.width, "peer": f"PyTorch {torch.__version__}"}
    try:
        if mode not in MODES:
            raise ValueError(f"no mode {mode!r}: {', '.join(MODES)}")
        began = time.perf_counter()
        if mode not in ready:
            ready[mode] = prepare(a, mode)
        prepared = time.perf_counter() - began
        ms = ms_per_step(a, ready[mode])
        told |= {"images_per_s": round(a.batch / ms * 1e3, 1), "ms_per_step": round(ms, 4), "prepare_s": round(prepared, 1)}
    except Exception as error:
        told["error"] = f"{type(error).__name__}: {error}"[:600]
    print(json.dumps(told), flush=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--batch", type=int, default=64)
    a.add_argument("--width", type=int, default=16, help="channels of the classifier's first stage")
    a.add_argument("--precision", choices=["f32", "tf32", "bf16"], default="f32")
    a.add_argument("--mode", nargs="+", choices=MODES, default=["eager"])
    a.add_argument("--steps", type=int, default=200)
    a.add_argument("--serve", action="store_true")
    a.add_argument("--device", default="cuda", help="cpu tries the program out where there is no GPU")
    a = a.parse_args()
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = a.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = a.precision == "tf32"
    # All networks share a forward of one class, which is compiled anew for each of them and each use.
    torch._dynamo.config.recompile_limit = 64
    ready = {}
    for mode in (line.strip() for line in sys.stdin) if a.serve else a.mode:
        measure(a, ready, mode)


if __name__ == "__main__":
    main()
