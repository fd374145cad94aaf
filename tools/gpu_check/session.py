"""A run: what machine it is, programs with a limit of time, results written as they come."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from types import SimpleNamespace

from . import checks, kernels, report, speed, training

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
LOGGED = 20_000


class OutOfTime(Exception):
    """Nothing more can be begun in this part."""


class Session:
    def __init__(self, packed, arguments):
        self.packed, self.arguments = packed, arguments
        self.out = os.path.abspath(arguments.out)
        os.makedirs(self.out, exist_ok=True)
        self.end = time.monotonic() + 60 * arguments.minutes
        self.part, self.part_end = "start", self.end
        self.scratch = tempfile.mkdtemp(prefix="gpu-check-")
        self.rows = report.read([self.results]) if os.path.exists(self.results) else []
        # Nothing of the caller's reaches our programs; what is compiled for the GPU is kept for the next process.
        keep = {name: value for name, value in os.environ.items() if not name.startswith("ECGAN_")}
        caches = {"CUDA_CACHE_PATH": "cuda", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
        self.environment = keep | {name: self.path(folder) for name, folder in caches.items()}

    @property
    def results(self):
        return os.path.join(self.out, "results.jsonl")

    def path(self, *names):
        return os.path.join(self.scratch, *names)

    def program(self, name):
        return os.path.join(self.packed, "bin", name)

    def programs(self, ending):
        return sorted(name for name in os.listdir(os.path.join(self.packed, "bin")) if name.endswith(ending))

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
        with open(os.path.join(self.out, report.file_name(self.rows)), "w") as f:
            f.write(report.table(self.rows))

    def start(self, command, environment=None):
        """A process and whatever it starts, as a group that can be ended together."""
        files = [tempfile.TemporaryFile("w+", errors="replace") for _ in range(2)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=files[0], stderr=files[1], cwd=self.scratch,
                                   env=self.environment | (environment or {}), start_new_session=True)
        return SimpleNamespace(process=process, files=files, command=command, began=time.monotonic())

    def finish(self, started, limit):
        """Waits at most `limit` seconds. `why` is what went wrong, or None."""
        process = started.process
        try:
            code = process.wait(max(0.1, limit))
            why = None if code == 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            why = f"over {limit:.0f} s"
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        texts = []
        for f in started.files:
            f.seek(0)
            texts.append(f.read())
            f.close()
        done = SimpleNamespace(out=texts[0], err=texts[1], why=why, seconds=time.monotonic() - started.began)
        self.log(started.command, done)
        return done

    def call(self, command, limit, environment=None):
        """Runs a program for at most `limit` seconds, and not beyond the part's end."""
        limit = min(limit, self.left())
        if limit < 3:
            raise OutOfTime
        return self.finish(self.start(command, environment), limit)

    def json(self, command, limit, environment=None):
        """The JSON object that a program prints, or None with what went wrong."""
        done = self.call(command, limit, environment)
        try:
            return (json.loads(done.out), done) if done.why is None else (None, done)
        except ValueError:
            done.why = "printed no JSON"
            return None, done

    def ecgan(self, *arguments, limit, environment=None):
        return self.json([self.program("ecgan"), *map(str, arguments)], limit, environment)

    def log(self, command, done):
        with open(os.path.join(self.out, "log.txt"), "a") as f:
            f.write(f"\n$ {' '.join(map(str, command))}\n")
            for text in (done.out, done.err):
                f.write(text if len(text) <= LOGGED else f"{text[:LOGGED // 2]}\n[..]\n{text[-LOGGED // 2:]}")
            f.write(f"[{done.why or 'done'}, {done.seconds:.1f} s]\n")


def last_line(done):
    """The end of what a failed program said, for a table."""
    lines = [line.strip() for line in (done.err + "\n" + done.out).splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"error|.*(panicked|Error:)", line)]
    said = (errors or lines or [""])[-1]
    return f"{done.why}: {said[:150]}" if said else str(done.why)


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
