"""The parts of tools/gpu-check that measure. Each gives whether all was measured, and a word on it."""

import json
import math
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from gpu_check.running import spread

# TB/s of the SXM boards' memory; TFLOP/s without sparsity, the same on both.
BANDWIDTH = {"H200": 4.8, "H100": 3.35}
# Bytes read and written over the median of 20 copies that no cache holds.
COPY = """
import json, torch
x = torch.empty(1 << 30, dtype=torch.uint8, device="cuda").random_()
y = torch.empty_like(x)
ms = []
for _ in range(22):
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record(); y.copy_(x); ended.record(); ended.synchronize()
    ms.append(began.elapsed_time(ended))
print(json.dumps({"TB_per_s": 2e-9 * x.numel() / sorted(ms)[11]}))
"""
RATE = {"f32": 67, "tf32": 495, "bf16": 989}


class Peer:
    """iteration_cuda.py as a server: a mode's name in, a result out."""

    def __init__(self, check, batch, precision):
        self.check, self.lines, self.measured = check, queue.Queue(), 0
        steps = max(20, min(60, 6400 // batch))
        self.child = check.start(
            [sys.executable, check.packed / "iteration_cuda.py", "--serve", "--batch", batch, "--precision", precision,
             "--steps", steps], stdin=subprocess.PIPE, stderr=check.log, env=os.environ | {"TORCHINDUCTOR_COMPILE_THREADS": "4"})
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.child.stdout:
            line.startswith("{") and self.lines.put(json.loads(line))
        self.lines.put({"error": "the program ended; see log.txt", "ended": True})

    def ask(self, mode):
        try:
            print(mode, file=self.child.stdin, flush=True)
        except OSError:
            pass

    def answer(self, mode, limit=math.inf):
        """None when the time is up."""
        try:
            told = self.lines.get(timeout=max(1, min(limit, self.check.left())))
        except queue.Empty:
            return None
        self.measured += 1
        told.get("ended") and self.lines.put(told)
        return {"mode": mode} | told

    def close(self):
        """Without more to measure it ends by itself, and its compilers with it."""
        try:
            self.child.stdin.close()
            self.child.wait(3)
        except (OSError, subprocess.TimeoutExpired):
            pass
        self.check.stop(self.child)


def bench(check):
    a, well, words = check.a, True, []
    check.say("\nOurs: the median over a process's bursts of 20 iterations, read at the end of each. PyTorch: the mean between two "
              "CUDA events. Each figure is images/s, the median over the rounds [least, largest], in which all sides ran in turn; "
              "ratios are of the same round.")
    check.table(["batch", "precision", "rounds", "ours", *a.modes, "ours / eager", "ours / best of PyTorch"])
    for k, batch in enumerate(a.batch):
        if check.left() < 10:
            words.append(f"batch {batch}: not measured, the time was up")
            well = False
            continue
        # Preparation, compilation above all, at once for all precisions; what is measured meanwhile does not count.
        peers, alive = prepared(check, batch, 0.65 * check.left() / (len(a.batch) - k), words)
        rates = {p: {side: [] for side in ["ours", *a.modes]} for p in a.precision}
        for _ in range(a.runs):
            for precision in a.precision:
                if check.left() > 5:
                    bench_round(check, batch, precision, peers[precision], alive[precision], rates[precision], words)
        for precision, sides in rates.items():
            bench_row(check, batch, precision, sides)
            well &= bool(sides["ours"])
        for peer in peers.values():
            peer.close()
    for word in dict.fromkeys(words):
        check.say(f"\n- {word}")
    return well, "measured" if well else "ours is missing in some rows"


def prepared(check, batch, limit, words):
    """A peer for each precision, and its modes that are ready within `limit` seconds."""
    peers, alive = {p: Peer(check, batch, p) for p in check.a.precision}, {p: [] for p in check.a.precision}
    end = time.monotonic() + limit
    for peer in peers.values():
        for mode in check.a.modes:
            peer.ask(mode)
    for precision, peer in peers.items():
        for mode in check.a.modes:
            told = peer.answer(mode, end - time.monotonic())
            check.keep(**(told or {"error": "not ready"}) | {"batch": batch, "precision": precision, "side": mode, "warm_up": True})
            if told is None or "error" in told:
                why = told["error"][:300] if told else f"not ready after {limit:.0f} s"
                words.append(f"PyTorch {mode}, batch {batch}, {precision}: {why}")
            if told is None:
                # It is busy with that mode: another one takes over those that were ready.
                peer.close()
                peers[precision] = Peer(check, batch, precision)
                for ready in alive[precision]:
                    peers[precision].ask(ready)
                break
            if "error" not in told:
                alive[precision].append(mode)
    for precision, peer in peers.items():
        replaced = peer.measured == 0
        alive[precision] = [m for m in alive[precision] if not replaced or "error" not in (peer.answer(m, 60) or {"error": ""})]
    return peers, alive


def bench_round(check, batch, precision, peer, modes, rates, words):
    """One measurement of each side, appended to its rates; an unfinished round counts for nobody."""
    steps = max(5, min(20, 2560 // batch))
    ran = check.ecgan("bench", "--json", "--device", "cuda", "--batch", batch, "--steps", steps, "--precision", precision)
    told = ran.json()
    if told is None:
        words.append(f"ours, batch {batch}, {precision}: {ran.why()}")
    results = {"ours": told and told["images_per_second"]}
    check.keep(**(told or {"error": ran.why()}) | {"batch": batch, "precision": precision, "side": "ours"})
    for mode in modes:
        peer.ask(mode)
        told = peer.answer(mode)
        if told is None:
            return
        check.keep(**told | {"batch": batch, "precision": precision, "side": mode})
        results[mode] = told.get("images_per_s")
        if "error" in told:
            words.append(f"PyTorch {mode}, batch {batch}, {precision}: {told['error'][:300]}")
    for side, rate in results.items():
        rates[side].append(rate)


def bench_row(check, batch, precision, sides):
    modes = check.a.modes
    theirs = {mode: statistics.median(map(float, filter(None, sides[mode]))) for mode in modes if any(sides[mode])}
    best = max(theirs, key=theirs.get, default=None)
    ratios = lambda mode: [o / t for o, t in zip(sides["ours"], sides[mode]) if o and t] if mode else []
    eager = max((mode for mode in theirs if mode.startswith("eager")), key=theirs.get, default=None)
    cells = [spread([rate for rate in sides[side] if rate]) for side in ["ours", *modes]]
    last = f"{spread(ratios(best), '%.2f')} ({best})" if best else ""
    check.row(batch, precision, len(sides["ours"]), *cells, spread(ratios(eager), "%.2f"), last)
    sides["ours"] = [rate for rate in sides["ours"] if rate]


def profile(check):
    bandwidth = next((rate for name, rate in BANDWIDTH.items() if name in check.gpu), None)
    note = "" if bandwidth else " (this GPU is neither; the H100's are taken)"
    bandwidth = bandwidth or BANDWIDTH["H100"]
    check.say(f"\nFloor: max(bytes / {bandwidth} TB/s, operations / rate), with f32 {RATE['f32']}, tf32 {RATE['tf32']}, bf16 "
              f"{RATE['bf16']} TFLOP/s, of the SXM board{note}. Bytes are the tensors read and written once; what stays in the "
              "cache can be faster. Kernels are timed one by one, launched.")
    copy = check.run([sys.executable, "-c", COPY], 60).json()
    check.say("\nA copy of 1 GiB by PyTorch moves " + (f"{copy['TB_per_s']:.2f} TB/s, read and written." if copy else "nothing: see log.txt."))
    check.keep(copy=copy)
    well = True
    for precision in check.a.precision:
        for batch in dict.fromkeys([check.a.batch[0], check.a.batch[-1]]):
            ran = check.ecgan("bench", "--profile", "--json", "--device", "cuda", "--precision", precision, "--batch", batch,
                              "--steps", 5, limit=60)
            told = ran.json()
            check.say(f"\n{precision}, batch {batch}:" + (f" {ran.why()}" if told is None else ""))
            well &= told is not None
            if told is not None:
                profile_table(check, told, bandwidth, RATE[precision], precision, batch)
    return well, "measured" if well else "something did not run"


def profile_table(check, told, bandwidth, rate, precision, batch):
    rows, by_op = [], {}
    for r in told["profile"] or []:
        # In GB and GFLOP, times 1000: over TB/s and TFLOP/s that gives ms.
        moved, operations = ((r.get(key) or 0) * r["ms"] / 1e3 for key in ["gbs", "gflops"])
        floor = max(moved / bandwidth, operations / (rate if r["op"].startswith(("conv", "linear")) else RATE["f32"]))
        rows.append((f"{r['op']} {r['shape']}".strip(), r["calls"], r["ms"], floor))
        check.keep(precision=precision, batch=batch, floor_ms=floor, **r)
        op = by_op.setdefault(r["op"], [r["op"], 0, 0, 0])
        op[1:] = [op[1] + r["calls"], op[2] + r["ms"], op[3] + floor]
    total = sum(r[2] for r in rows)
    line = lambda name, calls, ms, floor: check.row(
        name, f"{calls:.0f}", f"{ms:.4f}", f"{100 * ms / total:.1f} %", f"{floor:.3g}", f"{ms / floor:.1f}" if floor else "")
    for head, lines in [("kernel", list(by_op.values())), ("kernel and geometry, the 20 longest", rows)]:
        check.table([head, "calls", "ms", "share", "floor ms", "ms / floor"])
        for r in sorted(lines, key=lambda r: -r[2])[:20]:
            line(*r)
    line("iteration, profiled", 0, total, sum(r[3] for r in rows))
    check.say(f"\nThe same iteration as recorded: {told['ms_per_step_median']:.4f} ms.")


def train(check):
    check.table(["data", "device", "test accuracy", "best validation", "epochs", "training images", "seconds"])
    well = True
    data = ["synthetic"] + ([check.a.data] if check.a.data else [])
    for given in data:
        # The CPU's figure beside them, at last: it takes the longest.
        for precision in [*check.a.precision, "cpu"]:
            folder = check.work / f"train-{data.index(given)}-{precision}"
            device = ["cpu"] if precision == "cpu" else ["cuda", "--precision", precision]
            ran = check.ecgan("train", "--data", given, "--device", *device, "--out", folder, "--json", "--quiet")
            told, name = ran.json(), Path(given).name
            well &= told is not None
            if told is None:
                check.row(name, precision, ran.why(), "", "", "", f"{ran.seconds:.1f}")
                continue
            percent = lambda key: "" if told[key] is None else f"{told[key]:.2f} %"
            check.row(name, precision, percent("test_accuracy"), percent("best_val_accuracy"), told["epochs"], told["n_train"],
                      f"{told['seconds']:.1f}")
            check.keep(precision=precision, **told)
    return well, "trained" if well else "a training did not end"


def kernels(check):
    """The benchmark binary's rows on the GPU; its ceilings of the CPU are measured too, and are not asked for."""
    command = [check.packed / "kernels-bench", "--bench", "/cuda", "--sample-size", "10", "--warm-up-time", "0.05",
               "--measurement-time", "0.2", "--nresamples", "1001", "--noplot"]
    ran = check.run(command, both=True, CRITERION_HOME=str(check.work / "criterion"))
    found = check.work / "criterion" / "kernels.json"
    rows = json.loads(found.read_text()).get("cuda", []) if found.exists() else []
    if not rows:
        return False, ran.why()
    bandwidth = next((rate for name, rate in BANDWIDTH.items() if name in check.gpu), BANDWIDTH["H100"])
    check.say("\nEach launched many times in a graph. What the GPU's cache holds stays there, and can be faster than its memory.")
    check.table(["kernel", "shape", "precision", "us", "rate", "of the stated peak"])
    for r in rows:
        peak = 1e3 * (bandwidth if r["unit"] == "GB/s" else RATE[r["precision"]])
        check.row(r["kernel"], r["shape"], r["precision"], f"{1e3 * r['ms']:.2f}", f"{r['rate']:.0f} {r['unit']}", f"{100 * r['rate'] / peak:.0f} %")
        check.keep(**r)
    return ran.code == 0, f"{len(rows)} rows"
