"""One run of tools/gpu-check: programs under a limit, and where results go."""

import json
import math
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path


class Finished:
    def __init__(self, code, text, seconds):
        self.code, self.text, self.seconds = code, text, seconds

    def json(self):
        """The object that it printed; None without one."""
        try:
            return json.loads(self.text[self.text.index("{"):self.text.rindex("}") + 1]) if self.code == 0 else None
        except ValueError:
            return None

    def why(self, lines=6):
        """For a failure: how it ended and its last lines."""
        how = "ran out of time" if self.code is None else f"exit code {self.code}"
        return f"{how}: " + " / ".join(self.text.strip().splitlines()[-lines:])[-800:]


class Check:
    """One run: its settings, its clock, and where results go."""

    def __init__(self, a, gpu):
        self.a, self.gpu, self.packed, self.out = a, gpu, a.packed, a.out
        self.end = self.part_end = time.monotonic() + 60 * a.minutes
        self.work = Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.out.mkdir(parents=True, exist_ok=True)
        # h100.md for an NVIDIA H100 80GB HBM3.
        name = "".join(c for c in gpu.replace("NVIDIA", "").split()[0].lower() if c.isalnum())
        self.report, self.rows, self.log = (open(self.out / n, "w") for n in [f"{name}.md", "results.jsonl", "log.txt"])
        self.children, self.part = [], ""

    def say(self, text=""):
        print(text, flush=True)
        print(text, file=self.report, flush=True)

    def table(self, head):
        self.say("\n| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")

    def row(self, *cells):
        self.say("| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |")

    def keep(self, **result):
        print(json.dumps({"part": self.part} | result), file=self.rows, flush=True)

    def left(self):
        return self.part_end - time.monotonic()

    def start(self, command, **how):
        child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, errors="replace",
                                 process_group=0, cwd=self.work, **how)
        self.children.append(child)
        return child

    def stop(self, child):
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.children.remove(child)

    def run(self, command, limit=None, both=False, **environment):
        """Runs to the end or to the limit; stderr goes to the log, with `both` to the text too."""
        print("\n$", *command, file=self.log, flush=True)
        error = tempfile.TemporaryFile("w+", errors="replace")
        began = time.monotonic()
        child = self.start(command, stderr=subprocess.STDOUT if both else error, env=os.environ | environment)
        parts = []
        reader = threading.Thread(target=lambda: parts.extend(iter(child.stdout.readline, "")), daemon=True)
        reader.start()
        try:
            code = child.wait(max(1, min(limit or math.inf, self.left())))
        except subprocess.TimeoutExpired:
            code = None
        self.stop(child)
        reader.join(5)
        error.seek(0)
        text, told = "".join(parts), error.read()
        print(text + told, f"[{code}]", file=self.log, flush=True)
        return Finished(code, text if code == 0 or both else text + told, time.monotonic() - began)

    def ecgan(self, *words, **how):
        return self.run([self.packed / "ecgan", *words], **how)


def spread(values, form="%.0f"):
    return f"{form % statistics.median(values)} [{form % min(values)}, {form % max(values)}]" if values else ""
