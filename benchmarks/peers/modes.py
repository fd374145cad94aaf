"""The iteration of iteration.py in the ways in which PyTorch runs it on a GPU.

A mode is PRECISION-HOW[-cl]:
  PRECISION  f32 (TF32 off; may be left out), tf32 (convolutions and products), bf16 (autocast, f32 weights)
  HOW        eager
             compile            torch.compile: the generator, and each network's loss with the network
             max-autotune       the same with mode max-autotune-no-cudagraphs
             reduce-overhead    the same with mode reduce-overhead: PyTorch's own CUDA graphs, one a part
             graph              eager, the whole iteration recorded as one CUDA graph
             compile-graph, max-autotune-graph    compiled parts, recorded likewise
  -cl        channels_last
Adam is the fused one, cuDNN chooses its algorithms by trying them. The noise is drawn on the device within the iteration.

A figure is the median over ROUNDS rounds, each some iterations between two CUDA events.
"""
import gc, json, os, signal, statistics, subprocess, sys, time, traceback

import torch

import iteration
from mode_names import ALL, compiler, parse

ROUNDS, ROUND_SECONDS, WARM_UP = 15, 0.1, 11


class Clock:
    """Milliseconds between two marks: of the GPU's stream by events, of the CPU by its clock."""

    def __init__(self, device):
        self.cuda = device == "cuda"

    def mark(self):
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, start, end):
        if not self.cuda:
            return 1e3 * (end - start)
        end.synchronize()
        return start.elapsed_time(end)

    def time(self, work, n):
        start = self.mark()
        for _ in range(n):
            work()
        return self.between(start, self.mark()) / n


def work(mode, batch, width, device):
    """A function that runs one iteration, and the networks."""
    precision, how, channels_last = parse(mode)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    recorded = how.endswith("graph")
    compiled = compiler(how)
    ec_gan = iteration.EcGan(
        batch, width, device, channels_last,
        compiled=compiled and (lambda part: torch.compile(part, mode=compiled, dynamic=False)),
        autocast=(lambda: torch.autocast(device, torch.bfloat16)) if precision == "bf16" else None,
        adam={"fused": True, "capturable": recorded},
    )
    x, labels = iteration.inputs(batch, device, channels_last)
    z = torch.empty(batch, iteration.NOISE, 1, 1, device=device)

    def step():
        if how == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        z.normal_()
        ec_gan.step(x, labels, z)

    return record(step) if recorded else step, ec_gan


def record(step):
    """The iteration as one graph; as PyTorch asks for, warmed up on the stream that is recorded."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph.replay


def measure(mode, batch, width, device):
    torch.manual_seed(0)
    step, ec_gan = work(mode, batch, width, device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    before = next(ec_gan.c.parameters()).detach().clone()
    for _ in range(WARM_UP):
        step()
    clock = Clock(device)
    n = max(1, int(1e3 * ROUND_SECONDS / clock.time(step, 3)))
    ms = sorted(clock.time(step, n) for _ in range(ROUNDS))
    median = statistics.median(ms)
    # What was timed was training.
    if not ec_gan.is_finite() or torch.equal(before, next(ec_gan.c.parameters())):
        raise RuntimeError("the weights are not finite, or did not change")
    return {
        "images_per_s": round(1e3 * batch / median, 1), "ms_per_step_median": round(median, 4),
        "ms_least": round(ms[0], 4), "ms_most": round(ms[-1], 4), "iterations": n * ROUNDS,
        "memory_mb": round(torch.cuda.max_memory_reserved() / 2**20) if device == "cuda" else None,
    }


def warm(mode, a):
    """Compiles what the mode needs and leaves it in the compiler's cache."""
    for batch in a.batch:
        step, _ = work(mode, batch, a.width, a.device)
        step()
        torch._dynamo.reset()


def row(mode, batch, **more):
    precision, how, channels_last = parse(mode)
    print(json.dumps({"mode": mode, "precision": precision, "how": how, "channels_last": channels_last, "batch": batch,
                      "peer": f"PyTorch {torch.__version__}", **more}), flush=True)


def here(mode, a):
    """Every batch of one mode; one that fails does not keep the others from trying."""
    for batch in a.batch:
        try:
            row(mode, batch, **measure(mode, batch, a.width, a.device))
        except Exception as error:
            traceback.print_exc()
            row(mode, batch, failed=f"{type(error).__name__}: {error}".strip().splitlines()[0][:200])
        torch._dynamo.reset()
        gc.collect()
        if a.device == "cuda":
            torch.cuda.empty_cache()


def apart(mode, a):
    """The same in a process of its own: a fault of the GPU, or the limit of time, ends that one alone."""
    parse(mode)
    command = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "iteration.py"), "--here",
               "--device", a.device, "--modes", mode, "--width", str(a.width), "--batch", *map(str, a.batch)]
    # What it starts itself (the compiler's processes) is ended with it: they are a session of their own.
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        text, _ = child.communicate(timeout=a.limit)
        why = f"exit code {child.returncode}"
    except subprocess.TimeoutExpired:
        why = f"over {a.limit:.0f} s"
        os.killpg(child.pid, signal.SIGKILL)
        text, _ = child.communicate()
    lines = [line for line in text.splitlines() if line.startswith("{") and line.endswith("}")]
    print("".join(line + "\n" for line in lines), end="", flush=True)
    done = {json.loads(line)["batch"] for line in lines}
    for batch in (b for b in a.batch if b not in done):
        row(mode, batch, failed=why)


def run(a):
    began = time.monotonic()
    chosen = ALL if a.modes in (None, "all") else a.modes.split(",")
    for mode in chosen:
        parse(mode)
    for mode in chosen:
        if time.monotonic() - began > 60 * a.minutes:
            for batch in a.batch:
                row(mode, batch, failed="not begun: out of time")
        elif a.warm:
            warm(mode, a)
        elif a.here:
            here(mode, a)
        else:
            apart(mode, a)
