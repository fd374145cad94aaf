#!/usr/bin/env python3
"""tools/gpu-check run over programs that only print what the real ones would: parsing, limits of time, tables, exit codes.

usage: tools/gpu_check/test.py
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# How they misbehave is in the variable MOOD.
HEAD = f"""#!{sys.executable}
import json, os, struct, sys, time
a, mood = sys.argv[1:], os.environ["MOOD"]
value = lambda flag: a[a.index(flag) + 1]
"""
ECGAN = HEAD + """
if a[0] == "bench":
    batch, precision = int(value("--batch")), value("--precision")
    if mood == "crash" and batch == 256: sys.exit("error: device cuda: relu_forward failed: CUDA_ERROR_ILLEGAL_ADDRESS")
    ms = batch / 64 * {"f32": 2.0, "tf32": 1.0, "bf16": 0.8}[precision]
    profile = [{"op": "conv2d.forward", "shape": "32x32 16-16 k3 s1", "calls": 8, "ms": 0.4, "gflops": 20000.0, "gbs": 800.0},
               {"op": "relu.forward", "shape": "65536", "calls": 4, "ms": 0.1, "gflops": None, "gbs": 1675.0}]
    print(json.dumps({"images_per_second": 1e3 * batch / ms, "ms_per_step_median": ms} | ({"profile": profile} if "--profile" in a else {})))
elif a[0] == "train":
    out = value("--out")
    os.makedirs(out + "/checkpoints")
    number = 2.0 if mood == "differs" and "--no-graph" in a else float("nan") if mood == "nan" else 1.0
    header = json.dumps({"__metadata__": {}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    with open(out + "/checkpoints/last.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(header)) + header + struct.pack("<f", number))
    print(json.dumps({"test_accuracy": 95.25, "best_val_accuracy": None, "epochs": 12, "n_train": 1800, "seconds": 6.0}))
"""
TESTS = HEAD + """
assert os.environ["ECGAN_CUDA_TESTS"] == "1"
failing = mood == "failing" and "kernels" in sys.argv[0]
print("test rows::sums_match ... ok\\ntest conv::products_match ...", "FAILED" if failing else "ok")
if failing: print("---- conv::products_match stdout ----\\ny[3]: 7, reference 8\\n\\nfailures:\\n    conv::products_match")
if mood == "unseen": print("skipped: neither the feature cuda-host nor ECGAN_CUDA_TESTS=1")
sys.exit(101 if failing else 0)
"""
BENCH = HEAD + """
assert "--bench" in a
rows = [{"kernel": "relu_forward", "shape": "64x32x32x16", "precision": "", "ms": 0.0035, "rate": 1675.0, "unit": "GB/s"},
        {"kernel": "gemm", "shape": "512x512x512", "precision": "tf32", "ms": 0.01, "rate": 49500.0, "unit": "GFLOP/s"}]
os.makedirs(os.environ["CRITERION_HOME"])
json.dump({"rows": [], "cuda": rows}, open(os.environ["CRITERION_HOME"] + "/kernels.json", "w"))
"""
SANITIZER = HEAD + """
tool, recorded = value("--tool"), "train" in a and "--no-graph" not in a
bad = mood == "race" and tool == "racecheck" and recorded
if bad: print("========= Error: Race reported between Write access at conv2d and Read access at conv2d")
print(f"========= RACECHECK SUMMARY: {int(bad)} hazards displayed ({int(bad)} errors, 0 warnings)" if tool == "racecheck" else
      "========= ERROR SUMMARY: 0 errors")
"""
PEER = HEAD + """
for mode in map(str.strip, sys.stdin):
    if mood == "hangs" and mode == "compile": time.sleep(99)
    told = {"error": "OutOfMemoryError"} if mode == "graph" and value("--batch") == "1024" else {"images_per_s": 9000.0 if "graph" in mode else 2000.0}
    print(json.dumps(told), flush=True)
"""
PROGRAMS = {"ecgan": ECGAN, "kernels-cuda-tests": TESTS, "tensor-tensor-tests": TESTS, "ecgan-cuda-tests": TESTS, "ecgan-goldens-tests": TESTS,
            "kernels-bench": BENCH, "iteration_cuda.py": PEER}
SMI = """#!/bin/sh
case "$1" in --query*) echo "NVIDIA H100 80GB HBM3, 580.159.04, 81559 MiB" ;; *) echo "CUDA Version: 13.0" ;; esac
"""


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        for name, text in PROGRAMS.items():
            self.write(self.folder / "packed" / name, text)
        (self.folder / "packed" / "golden").mkdir()
        self.write(self.folder / "tools" / "compute-sanitizer", SANITIZER)
        self.write(self.folder / "tools" / "nvidia-smi", SMI)

    def write(self, path, text):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run_with(self, mood, *more, only=None):
        command = [sys.executable, ROOT / "tools" / "gpu-check", "run", "--packed", self.folder / "packed", "--out",
                   self.folder / "out", "--runs", "2", *(["--only", only] if only else []), *more]
        environment = os.environ | {"MOOD": mood, "PATH": f"{self.folder / 'tools'}:{os.environ['PATH']}"}
        ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertNotIn("Traceback", ran.stderr)
        return ran

    def test_a_good_machine_gets_every_table(self):
        ran = self.run_with("good", "--data", self.folder)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        for text in [
            "# NVIDIA H100 80GB HBM3", "- 81559 MiB, driver 580.159.04, CUDA 13.0",
            "| kernels-cuda-tests | 2 | 0 |", "| bf16 | 128 | 1 tensors equal | 1 tensors equal | 0 tensors |",
            # 64 images in 2 ms; the fastest eager is either layout's.
            "| 64 | f32 | 2 | 32000 [32000, 32000] | 2000 [2000, 2000] | 9000 [9000, 9000] |", "| 16.00 [16.00, 16.00] | 3.56 [3.56, 3.56] (graph) |",
            "| 3.56 [3.56, 3.56] (graph-nchw) |", "- PyTorch graph, batch 1024, bf16: OutOfMemoryError",
            "| racecheck | small kernel tests | 0 |", "| initcheck | train, 3 steps, bf16, launched | 0 |",
            "| memcheck | train, 3 steps, tf32, recorded | 0 |",
            # 8 GFLOP at 67 TFLOP/s, 320 MB at 3.35 TB/s; 167.5 MB.
            "| conv2d.forward 32x32 16-16 k3 s1 | 8 | 0.4000 | 80.0 % | 0.119 | 3.4 |", "| relu.forward 65536 | 4 | 0.1000 | 20.0 % | 0.05 | 2.0 |",
            "| synthetic | bf16 | 95.25 % |  | 12 | 1800 | 6.0 |", "| synthetic | cpu | 95.25 % |", f"| {self.folder.name} | f32 | 95.25 % |",
            "| relu_forward | 64x32x32x16 |  | 3.50 | 1675 GB/s | 50 % |", "| gemm | 512x512x512 | tf32 | 10.00 | 49500 GFLOP/s | 10 % |",
        ]:
            self.assertIn(text, ran.stdout)
        self.assertEqual((self.folder / "out" / "h100.md").read_text(), ran.stdout)
        rows = [json.loads(line) for line in (self.folder / "out" / "results.jsonl").read_text().splitlines()]
        self.assertEqual({row["part"] for row in rows}, {"parity", "determinism", "bench", "sanitizer", "profile", "train", "kernels"})

    def test_what_is_wrong_fails(self):
        for mood, part, said in [
            ("failing", "parity", "kernels-cuda-tests conv::products_match:\n\n```\ny[3]: 7, reference 8\n```"),
            ("unseen", "parity", "tests were skipped"),
            ("differs", "determinism", "| f32 | 16 | 1 tensors equal | 1 of 1 tensors differ | 0 tensors |"),
            ("nan", "determinism", "| tf32 | 16 | 1 tensors equal | 1 tensors equal | 1 tensors |"),
            ("race", "sanitizer", "racecheck, train, 3 steps, f32, recorded:\n\n```\n========= Error: Race reported"),
            ("crash", "bench", "ours, batch 256, f32: exit code 1: error: device cuda: relu_forward failed"),
        ]:
            ran = self.run_with(mood, only=part)
            self.assertEqual(ran.returncode, 1, mood + ran.stdout)
            self.assertIn(said, ran.stdout)
            self.assertIn(f"| {part} | no | ", ran.stdout)

    def test_a_mode_that_hangs_costs_its_time_alone(self):
        ran = self.run_with("hangs", "--batch", "64", "--precision", "f32", "--minutes", "0.5", "--modes", "eager,graph,compile", only="bench")
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertIn("- PyTorch compile, batch 64, f32: not ready after ", ran.stdout)
        self.assertIn("| 64 | f32 | 2 | 32000 [32000, 32000] | 2000 [2000, 2000] | 9000 [9000, 9000] |  | 16.00 ", ran.stdout)

    def test_without_a_gpu_it_says_so(self):
        (self.folder / "tools" / "nvidia-smi").write_text("#!/bin/sh\necho no devices were found\nexit 6\n")
        ran = self.run_with("good")
        self.assertEqual((ran.returncode, ran.stderr), (5, "no GPU: looked for nvidia-smi on PATH, which said: no devices were found\n"))
        ran = self.run_with("good", "--allow-skip")
        self.assertEqual(ran.returncode, 0)
        self.assertTrue(ran.stderr.startswith("skipped, nothing was checked: no GPU"), ran.stderr)


if __name__ == "__main__":
    unittest.main()
