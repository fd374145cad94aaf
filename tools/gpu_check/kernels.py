"""How long each kernel takes, beside what the device could do: max(bytes / bandwidth, FLOP / rate)."""
import json
import os
import shutil
import sys

from .checks import PRECISIONS
from .programs import last_line
from .speed import BATCHES

# Stated by the maker for the SXM modules: bytes/s, and FLOP/s (without sparsity) by precision.
FLOPS = {"f32": 67e12, "tf32": 494e12, "bf16": 989e12}
PEAKS = {"H200": {"bytes": 4.8e12, **FLOPS}, "H100": {"bytes": 3.35e12, **FLOPS}}

# What PyTorch reaches: a copy that no cache holds, and products of 8192 x 8192 random matrices.
MEASURE = """
import json, torch
def best(work, rounds=20):
    work(); work()
    times = []
    for _ in range(rounds):
        a, b = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        a.record(); work(); b.record(); b.synchronize()
        times.append(a.elapsed_time(b) / 1e3)
    return sorted(times)[len(times) // 2]
x = torch.empty(1 << 30, dtype=torch.uint8, device="cuda").random_(); y = torch.empty_like(x)
print(json.dumps({"bytes": 2 * x.numel() / best(lambda: y.copy_(x))}), flush=True)
n = 8192
for name, dtype, tf32 in [("f32", torch.float32, False), ("tf32", torch.float32, True), ("bf16", torch.bfloat16, False)]:
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = [torch.randn(n, n, device="cuda", dtype=dtype) for _ in range(2)]
    print(json.dumps({name: 2 * n**3 / best(lambda: a @ b)}), flush=True)
"""


def peaks(rows):
    """The stated peaks of this GPU; of another the measured ones, where they are known."""
    gpu = next((row["gpu"] for row in rows if row.get("gpu")), "")
    stated = next((peak for name, peak in PEAKS.items() if name in gpu), None)
    measured = next((row for row in reversed(rows) if row.get("name") == "measured peaks"), {})
    return stated or {key: measured[key] for key in ("bytes", *PRECISIONS) if measured.get(key)}


def floor_ms(row, peak, precision):
    """The least milliseconds of a profile's row: of all its calls in an iteration."""
    seconds = row["ms"] / 1e3
    times = [(row.get("gbs") or 0) * 1e9 * seconds / peak["bytes"], (row.get("gflops") or 0) * 1e9 * seconds / peak[precision]]
    return 1e3 * max(times)


def floor(session):
    done = session.call([sys.executable, "-c", MEASURE], 90)
    measured = {}
    for line in done.out.splitlines():
        if line.startswith("{"):
            measured |= json.loads(line)
    session.row(name="measured peaks", **measured, without=done.why and last_line(done))
    for batch in BATCHES:
        for precision in PRECISIONS:
            report, done = session.ecgan("bench", "--batch", batch, "--steps", 3, "--profile", "--json", "--device", "cuda",
                                         "--precision", precision, limit=60)
            if report is None or not report.get("profile"):
                session.row(name="profile", batch=batch, precision=precision, failed=last_line(done))
                continue
            session.row(name="profile", batch=batch, precision=precision, ms=report["ms_per_step_median"],
                        rows=report["profile"])


def benchmarks(session):
    """The benchmark binary's rows of CUDA kernels, one by one; its files say what was measured."""
    shutil.rmtree(session.path("criterion"), ignore_errors=True)
    command = [session.program("kernels-bench"), "--bench", "/cuda", "--sample-size", "10", "--warm-up-time", "0.05",
               "--measurement-time", "0.2", "--nresamples", "1001", "--noplot"]
    done = session.call(command, 400, {"CRITERION_HOME": session.path("criterion")})
    path = session.path("criterion", "kernels.json")
    rows = []
    if os.path.exists(path):
        with open(path) as f:
            rows = json.load(f).get("cuda", [])
    session.row(name="benchmarks", rows=rows, seconds=round(done.seconds, 1),
                failed=None if rows and done.why is None else last_line(done) if done.why else "no rows")
