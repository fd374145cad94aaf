#!/usr/bin/env python3
"""tools/gpu-check run, over programs that only print what the real ones would: parsing, limits of time, table, exit codes.

usage: tools/gpu_check/test.py
"""
import contextlib
import io
import os
import shutil
import stat
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from gpu_check import checks, pack, programs, report, session, speed  # noqa: E402

# How the programs misbehave is in the file `mood` beside them.
HEAD = f"""#!{sys.executable}
import json, os, sys, time
a, here = sys.argv[1:], os.path.dirname(os.path.abspath(__file__))
mood = open(os.path.join(here, "mood")).read()
value = lambda flag: a[a.index(flag) + 1]
"""
ECGAN = HEAD + """
if a[0] == "devices":
    gpu = {"name": "cuda:0", "gpu": "NVIDIA H100 80GB HBM3", "memory_mib": 81559, "compute_capability": "9.0", "driver_cuda": "13.0"}
    none = mood == "no gpu"
    print(json.dumps({"devices": [{"name": "cpu"}] + [gpu] * (not none), "no_gpu": "cuda: found no NVIDIA driver" if none else None}))
elif a[0] == "bench":
    batch, precision = int(value("--batch")), value("--precision")
    if mood == "slow" and batch == 256: time.sleep(60)
    if mood == "crash" and batch == 1024: sys.exit("error: device cuda: CUDA_ERROR_ILLEGAL_ADDRESS")
    ms = batch / 64 * {"f32": 2.0, "tf32": 1.0, "bf16": 0.8}[precision] * (1.5 if "--no-graph" in a else 1)
    profile = [{"op": "conv2d.forward", "shape": "32x32 16-16 k3 s1", "calls": 8, "ms": 0.4, "gflops": 20000.0, "gbs": 800.0},
               {"op": "relu.forward", "shape": "65536", "calls": 4, "ms": 0.1, "gflops": None, "gbs": 1675.0},
               {"op": "outside kernels", "shape": "", "calls": 0.0, "ms": 0.5, "gflops": None, "gbs": None}]
    print(json.dumps({"images_per_second": 1e3 * batch / ms, "ms_per_step_median": ms, "startup_ms": 300.0,
                      "device": "cuda NVIDIA H100 80GB HBM3 " + precision} | ({"profile": profile} if "--profile" in a else {})))
elif a[0] == "train":
    out = value("--out")
    os.makedirs(out + "/checkpoints")
    differs = "other" if mood == "differs" and out.endswith("launched-2") else ""
    open(out + "/checkpoints/last.safetensors", "w").write(value("--precision") + differs)
    loss = 2.5 if "cpu" in a and mood == "wrong" else 1.0
    open(out + "/metrics.jsonl", "w").write(json.dumps({"loss_g": loss, "loss_c_fake": None}) + "\\n")
    print(json.dumps({"test_accuracy": 95.25, "seconds": 6.0}))
"""
TESTS = HEAD + """
assert os.environ["ECGAN_CUDA_TESTS"] == "1"
failing = mood == "failing"
print("running 2 tests\\ntest rows::sums_match ... ok")
print("test conv::products_match ...", "FAILED" if failing else "ok")
print("---- conv::x stdout ----\\ntiles: |y - y64| / sum |x| |w| at most 1.2e-7 in f32")
print(f"test result: {'FAILED' if failing else 'ok'}. {2 - failing} passed; {int(failing)} failed; 0 ignored")
sys.exit(101 if failing else 0)
"""
BENCH = HEAD + """
assert "--bench" in a
row = {"kernel": "relu_forward", "shape": "64x32x32x16", "precision": "", "ms": 0.0035, "rate": 1675.0, "unit": "GB/s"}
os.makedirs(os.environ["CRITERION_HOME"])
json.dump({"rows": [], "cuda": [row]}, open(os.environ["CRITERION_HOME"] + "/kernels.json", "w"))
"""
SANITIZER = HEAD + """
tool = value("--tool")
bad = mood == "race" and tool == "racecheck" and "train" in a
if bad: print("========= Error: Race reported between Write access at conv2d and Read access at conv2d")
print("========= RACECHECK SUMMARY: 1 hazard displayed (1 error, 0 warnings)" if bad else
      "========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)" if tool == "racecheck" else
      "========= ERROR SUMMARY: 0 errors", file=sys.stderr)
sys.exit(66 if bad else 0)
"""
PEER = HEAD + """
mode = value("--modes")
if "--warm" in a: open(os.path.join(here, "warmed"), "a").write(mode + "\\n")
elif mode == "tf32-compile-graph": time.sleep(60)
else:
    for batch in (64, 256, 1024):
        row = {"mode": mode, "batch": batch, "precision": mode.split("-")[0]}
        fine = {"images_per_s": 1000.0 * (5 if "graph" in mode else 2), "ms_per_step_median": 64.0, "memory_mb": 900}
        print(json.dumps(row | ({"failed": "OutOfMemoryError"} if batch == 1024 else fine)), flush=True)
"""


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        packed, self.out = self.folder / "packed", self.folder / "out"
        for name, text in [("ecgan", ECGAN), ("kernels-cuda-tests", TESTS), ("kernels-bench", BENCH)]:
            write(packed / "bin" / name, text)
        shutil.copytree(ROOT / "benchmarks" / "peers", packed / "peers", ignore=shutil.ignore_patterns("__pycache__"))
        write(packed / "peers" / "iteration.py", PEER)
        for name in ["run-accuracy", "accuracy.jsonl"]:
            shutil.copy(ROOT / "benchmarks" / name, packed)
        (packed / "manifest.json").write_text('{"commit": "abc1234"}')
        tools = self.folder / "tools"
        write(tools / "compute-sanitizer", SANITIZER)
        write(tools / "nvidia-smi", "#!/bin/sh\necho 580.159.04\n")
        write(tools / "torch" / "__init__.py", "from . import version\n__version__ = '2.11.0'\n")
        write(tools / "torch" / "version.py", "cuda = '13.0'\n")
        (self.folder / "data" / "cifar10" / "train").mkdir(parents=True)
        self.packed, self.tools = packed, tools
        environment = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(tools), "ECGAN_BATCH": "1"}
        self.set(os.environ, environment)
        self.set(vars(speed), {"PEER": 4, "WARM": 4})

    def set(self, where, values):
        before = {name: where.get(name) for name in values}
        where.update(values)
        restore = lambda: [where.update({k: v}) if v is not None else where.pop(k) for k, v in before.items()]
        self.addCleanup(restore)

    def run_with(self, mood="", **more):
        for place in (self.packed / "bin", self.packed / "peers", self.tools):
            (place / "mood").write_text(mood)
        arguments = dict(only=None, minutes=9.5, data=None, out=str(self.out), allow_skip=False,
                         modes="f32-eager,tf32-eager,bf16-graph-cl,tf32-compile-graph,tf32-compile")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = session.main(SimpleNamespace(**(arguments | more)), str(self.packed))
        table = self.out / "h100.md"
        return code, said.getvalue(), table.read_text() if table.exists() else ""

    def test_a_good_machine_gets_every_table(self):
        code, said, table = self.run_with(data=str(self.folder / "data"))
        self.assertEqual(code, 0, said)
        for text in [
            "# On an NVIDIA H100 80GB HBM3", "commit abc1234; driver 580.159.04 for CUDA 13.0", "PyTorch 2.11.0 for CUDA 13.0",
            "| parity | kernels-cuda-tests | 2 passed |", "- tiles: |y - y64| / sum |x| |w| at most 1.2e-7 in f32",
            "| determinism | bf16 | checkpoint ", "| determinism | losses | GPU and CPU differ by 0.0e+00 |",
            "| sanitizer | racecheck, training bf16 recorded | 0 reports |", "| sanitizer | initcheck, kernels' tests | 0 reports |",
            # 64 images in 2 ms, PyTorch 2,000 images/s eager.
            "| 64 | f32 | 32000 [32000, 32000] | 2.000 | 2000 (eager) | 16.00 | 2000 (eager) | 16.00 | 21333 |",
            "| 64 | bf16 | 80000 [80000, 80000] | 0.800 |  |  | 5000 (graph-cl) | 16.00 | 53333 |",
            "| bf16-graph-cl | 64.000 | 64.000 | OutOfMemoryError |",
            "| tf32-compile-graph | over 4 s | over 4 s | over 4 s |",
            # 8 GFLOP at 67 TFLOP/s, 320 MB at 3.35 TB/s: 0.1194 ms; 167.5 MB: 0.05 ms.
            "| 64 | f32 | 12 | 2.000 | 0.500 | 0.169 | 0.08 |",
            "| conv2d.forward 32x32 16-16 k3 s1 | 8 | 0.4000 | 0.1194 | 3.4 |",
            "| relu.forward 65536 | 4 | 0.1000 | 0.0500 | 2.0 |",
            "| synthetic | ec-gan | cuda | f32 | 0 | 95.25 |", "| cifar10 | ec-gan | cuda | f32 | 0 | 95.25 | 2",
            "| relu_forward | 64x32x32x16 |  | 3.50 | 1675 GB/s | 50 % |",
        ]:
            self.assertIn(text, table)
        self.assertIn(table, said)
        self.assertEqual(table, report.table(programs.read([self.out / "results.jsonl"])))
        # What is compiled twice is warmed up once.
        self.assertEqual((self.packed / "peers" / "warmed").read_text(), "tf32-compile-graph\n")

    def test_what_is_wrong_fails(self):
        for mood, part, said in [
            ("failing", "parity", "FAILED: parity, kernels-cuda-tests: exit code 101"),
            ("differs", "determinism", "FAILED: determinism, tf32: checkpoints differ"),
            ("wrong", "determinism", "FAILED: determinism, losses: GPU and CPU: {'loss_g': 0.6}"),
            ("race", "sanitizer", "FAILED: sanitizer, racecheck, training f32 launched: 1 reports, first: ========= Error: Race"),
            ("crash", "bench", "exit code 1: error: device cuda: CUDA_ERROR_ILLEGAL_ADDRESS"),
        ]:
            shutil.rmtree(self.out, ignore_errors=True)
            code, output, table = self.run_with(mood, only=[part], modes="f32-eager")
            self.assertEqual(code, 1, mood)
            self.assertIn(said, output)
            self.assertIn("FAILED" if part != "bench" else "CUDA_ERROR_ILLEGAL_ADDRESS", table)
            self.assertIn("exit code" if mood in ("failing", "crash") else "[done", (self.out / "log.txt").read_text())

    def test_time_is_kept_and_a_second_run_adds_to_the_first(self):
        code, _, table = self.run_with("slow", only=["bench"], minutes=0.12, modes="f32-eager")
        self.assertEqual(code, 1)
        self.assertIn("| 64 | f32 | 32000", table)
        self.assertRegex(table, r"over [1-7] s")
        self.assertIn("| bench | rest | not begun: out of time |", table)
        code, _, table = self.run_with(only=["parity"])
        self.assertIn("| 64 | f32 | 32000", table)
        self.assertIn("2 passed", table)
        # A check that was repeated counts by its last result.
        self.run_with("failing", only=["parity"])
        code, said, _ = self.run_with(only=["parity"])
        self.assertNotIn("exit code 101", said)

    def test_without_a_gpu_it_says_so(self):
        code, said, _ = self.run_with("no gpu")
        self.assertEqual((code, said), (5, "error: cuda: found no NVIDIA driver\n"))
        code, said, _ = self.run_with("no gpu", allow_skip=True)
        self.assertEqual(code, 0)
        self.assertTrue(said.startswith("skipped, nothing was checked on a GPU: "), said)

    def test_its_own_images_and_needs_are_read(self):
        checks.tiny_set(self.folder / "tiny")
        self.assertEqual((self.folder / "tiny/train/two/7.png").read_bytes()[:4], b"\x89PNG")
        self.assertGreaterEqual(pack.glibc(shutil.which("cat")), (2, 2))


if __name__ == "__main__":
    unittest.main()
