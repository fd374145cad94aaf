"""Programs with a limit of time, and a log of what they said."""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from types import SimpleNamespace

LOGGED = 20_000


def read(paths):
    """The objects of files with one a line."""
    rows = []
    for path in paths:
        with open(path) as f:
            rows += [json.loads(line) for line in f if line.strip()]
    return rows


class OutOfTime(Exception):
    """Nothing more can be begun in this part."""


class Programs:
    """Runs them in the folder `scratch`; `left()` is how long they may take, `out` where the log goes."""

    def __init__(self, packed, scratch, out):
        self.packed, self.scratch, self.out = packed, scratch, out
        # Nothing of the caller's reaches our programs; what is compiled for the GPU is kept for the next process.
        keep = {name: value for name, value in os.environ.items() if not name.startswith("ECGAN_")}
        caches = {"CUDA_CACHE_PATH": "cuda", "TORCHINDUCTOR_CACHE_DIR": "inductor", "TRITON_CACHE_DIR": "triton"}
        self.environment = keep | {name: self.path(folder) for name, folder in caches.items()}

    def path(self, *names):
        return os.path.join(self.scratch, *names)

    def program(self, name):
        return os.path.join(self.packed, "bin", name)

    def programs(self, ending):
        return sorted(name for name in os.listdir(os.path.join(self.packed, "bin")) if name.endswith(ending))

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
