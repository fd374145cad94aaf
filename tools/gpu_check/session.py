"""A run: what machine it is, its parts one after another, results written as they come."""
import json
import os
import shutil
import sys
import tempfile
import time
from datetime import date

from . import checks, kernels, report, speed, training
from .programs import OutOfTime, Programs, last_line, read

# Name, what runs it, its share of the time in seconds where other parts follow.
PARTS = [
    ("parity", checks.parity, 150),
    ("determinism", checks.determinism, 90),
    ("bench", speed.bench, 300),
    ("sanitizer", checks.sanitizer, 240),
    ("floor", kernels.floor, 60),
    ("training", training.run, 120),
    ("kernels", kernels.benchmarks, 180),
]


class Session(Programs):
    """One run: its time, and its results."""

    def __init__(self, packed, arguments):
        super().__init__(packed, tempfile.mkdtemp(prefix="gpu-check-"), os.path.abspath(arguments.out))
        os.makedirs(self.out, exist_ok=True)
        self.arguments = arguments
        self.end = time.monotonic() + 60 * arguments.minutes
        self.part, self.part_end = "start", self.end
        self.rows = read([self.results]) if os.path.exists(self.results) else []

    @property
    def results(self):
        return os.path.join(self.out, "results.jsonl")

    def left(self):
        """Seconds until this part must end."""
        return min(self.end, self.part_end) - time.monotonic()

    def row(self, **fields):
        """A result. One of the same name from an earlier run in the same folder is replaced when the table is made."""
        fields = {"part": self.part, **fields}
        self.rows.append(fields)
        with open(self.results, "a") as f:
            f.write(json.dumps(fields) + "\n")
        print("  " + ", ".join(f"{k} {v}" for k, v in fields.items() if k != "part" and v is not None)[:200], flush=True)
        self.write_table()

    def write_table(self):
        try:
            text = report.table(self.rows)
        except Exception as error:
            # The results themselves are written; `gpu-check table` makes the table again.
            text = f"no table: {type(error).__name__}: {error}\n"
        with open(os.path.join(self.out, report.file_name(self.rows)), "w") as f:
            f.write(text)


def machine(session):
    """What GPU there is, or None and why there is none."""
    devices, done = session.ecgan("devices", "--json", limit=60)
    if devices is None:
        sys.exit(f"{session.program('ecgan')} devices: {last_line(done)}")
    gpus = [device for device in devices["devices"] if device["name"].startswith("cuda:")]
    if not gpus:
        return None, devices["no_gpu"]
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = session.call(query, 30).out.split("\n")[0].strip() if shutil.which(query[0]) else "not known"
    version = "import torch; print(torch.__version__, 'for CUDA', torch.version.cuda)"
    torch = session.call([sys.executable, "-c", version], 90)
    with open(os.path.join(session.packed, "manifest.json")) as f:
        commit = json.load(f)["commit"]
    gpu = gpus[0]
    return {
        "name": "machine", "gpu": gpu["gpu"], "memory_mib": gpu["memory_mib"], "driver": driver,
        "compute_capability": gpu["compute_capability"], "cuda": gpu["driver_cuda"],
        "pytorch": "none" if torch.why else torch.out.strip(), "date": str(date.today()), "commit": commit,
        "cores": os.cpu_count(),
    }, None


def main(arguments, packed):
    names = [name for name, _, _ in PARTS]
    unknown = set(arguments.only or []) - set(names)
    if unknown:
        sys.exit(f"--only: expected some of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    if not os.path.exists(os.path.join(packed, "manifest.json")):
        sys.exit(f"{packed}: expected what `tools/gpu-check pack` writes")
    session = Session(packed, arguments)
    try:
        return run(session, [part for part in PARTS if part[0] in (arguments.only or names)])
    finally:
        shutil.rmtree(session.scratch, ignore_errors=True)


def run(session, parts):
    found, why = machine(session)
    if found is None:
        print(f"skipped, nothing was checked on a GPU: {why}" if session.arguments.allow_skip else f"error: {why}")
        return 0 if session.arguments.allow_skip else 5
    session.row(**found)
    warm_up = speed.WarmUp(session, found) if "bench" in [name for name, _, _ in parts] else None
    try:
        every(session, parts, warm_up)
    finally:
        if warm_up:
            warm_up.stop()
    print("\n" + report.table(session.rows))
    failed = report.failures(session.rows)
    for line in failed:
        print(f"FAILED: {line}")
    return 1 if failed else 0


def every(session, parts, warm_up):
    for name, part, share in parts:
        session.part = name
        session.part_end = time.monotonic() + share if len(parts) > 1 else session.end
        print(f"{name}, {session.left():.0f} s at most", flush=True)
        try:
            part(session, warm_up) if name == "bench" else part(session)
        except OutOfTime:
            session.row(name="rest", result="not begun: out of time")
        except Exception as error:
            # A mistake in one part's evaluation leaves the others to run.
            session.row(name="part", failed=f"{type(error).__name__}: {error}")
