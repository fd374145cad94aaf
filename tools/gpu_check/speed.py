"""`ecgan bench` in turn with PyTorch's ways of running the same iteration."""
import json
import os
import sys
import threading
import time

from .checks import PRECISIONS
from .programs import last_line

BATCHES = [64, 256, 1024]
# Of ours, each some iterations between two readings.
STEPS = {64: 30, 256: 15, 1024: 8}
RUNS, COMPILERS, WARM, PEER = 5, 5, 200, 110


def names(session):
    sys.path.insert(0, os.path.join(session.packed, "peers"))
    import mode_names
    return mode_names


def chosen(session):
    asked = session.arguments.modes
    return asked.split(",") if asked and asked != "all" else names(session).ALL


def peer(session, mode, *more):
    batches = map(str, BATCHES)
    return [sys.executable, os.path.join(session.packed, "peers", "iteration.py"), "--device", "cuda", "--modes", mode,
            "--batch", *batches, *more]


class WarmUp(threading.Thread):
    """Fills the cache of PyTorch's compiler, several modes at once, while what is not timed runs."""

    def __init__(self, session, found):
        super().__init__(daemon=True)
        self.session, self.stopped = session, threading.Event()
        # A whole iteration's graph is of parts compiled as without it.
        modes = {}
        for mode in chosen(session) if found["pytorch"] != "none" else []:
            precision, how, channels_last = names(session).parse(mode)
            if names(session).compiler(how):
                modes.setdefault((precision, names(session).compiler(how), channels_last), mode)
        self.waiting = [peer(session, mode, "--warm") for mode in modes.values()]
        self.start()

    def run(self):
        running, at_once = [], min(COMPILERS, max(1, (os.cpu_count() or 1) // 3))
        while (running or self.waiting) and not self.stopped.wait(0.2):
            while self.waiting and len(running) < at_once:
                running.append(self.session.start(self.waiting.pop(0)))
            for started in list(running):
                if started.process.poll() is not None or time.monotonic() - started.began > WARM:
                    running.remove(started)
                    self.session.finish(started, 0)
        for started in running:
            self.session.finish(started, 0)

    def stop(self, seconds=0.0):
        """Lets it work for so long, and ends what then still runs."""
        self.join(seconds)
        self.stopped.set()
        self.join()


def ours(session, precision, batches, *flags):
    for batch in batches:
        report, done = session.ecgan("bench", "--batch", batch, "--steps", STEPS[batch], "--json", "--device", "cuda",
                                     "--precision", precision, *flags, limit=60)
        how = "launched" if flags else "recorded"
        if report is None:
            session.row(name="ours", precision=precision, batch=batch, how=how, failed=last_line(done))
        else:
            session.row(name="ours", precision=precision, batch=batch, how=how, device=report["device"],
                        images_per_s=report["images_per_second"], ms=report["ms_per_step_median"],
                        startup_ms=report["startup_ms"])


def bench(session, warm_up):
    # At most half of what is left goes to compiling ahead; from here on nothing runs beside what is timed.
    warm_up.stop(session.left() / 2)
    for precision in PRECISIONS:
        ours(session, precision, BATCHES[:1], "--no-graph")
    runs = dict.fromkeys(PRECISIONS, 0)
    modes = chosen(session)
    for mode in modes:
        precision = names(session).parse(mode)[0]
        if runs[precision] < RUNS:
            runs[precision] += 1
            ours(session, precision, BATCHES)
        done = session.call(peer(session, mode, "--here"), PEER)
        rows = [json.loads(line) for line in done.out.splitlines() if line.startswith("{") and line.endswith("}")]
        for row in rows:
            session.row(name="peer", **{"mode": row["mode"], "precision": row["precision"], "batch": row["batch"]},
                        images_per_s=row.get("images_per_s"), ms=row.get("ms_per_step_median"),
                        memory_mb=row.get("memory_mb"), without=row.get("failed"))
        for batch in set(BATCHES) - {row["batch"] for row in rows}:
            session.row(name="peer", mode=mode, precision=precision, batch=batch, without=last_line(done))
    for precision in PRECISIONS:
        if runs[precision] < RUNS:
            ours(session, precision, BATCHES)
