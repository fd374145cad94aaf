"""The results as Markdown."""
import statistics
from collections import defaultdict

from .checks import PRECISIONS
from .kernels import floor_ms, peaks


def machine(rows):
    return next((row for row in reversed(rows) if row.get("name") == "machine"), {})


def file_name(rows):
    """h100.md for an NVIDIA H100 80GB HBM3."""
    words = [word for word in machine(rows).get("gpu", "gpu").split() if word != "NVIDIA"]
    return "".join(c for c in (words or ["gpu"])[0].lower() if c.isalnum() or c == "-") + ".md"


def failures(rows):
    return [f"{row['part']}, {label(row)}: {row['failed']}" for row in latest(rows) if row.get("failed")]


def label(row):
    return " ".join(str(row[key]) for key in ("name", "data", "method", "mode", "how", "device", "batch", "precision", "seed")
                    if key in row)


def latest(rows):
    """Every row that is no timing in turn; of equal names the last."""
    seen = {}
    for number, row in enumerate(rows):
        key = (row["part"], label(row)) if row["name"] != "ours" else (number,)
        seen.pop(key, None)
        seen[key] = row
    return list(seen.values())


def lines(head, rows):
    if not rows:
        return []
    text = lambda cells: "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
    return ["", text(head), "|" + "---|" * len(head), *map(text, rows)]


def table(rows):
    found = machine(rows)
    rows = latest(rows)
    part = lambda name: [row for row in rows if row["part"] == name]
    out = [f"# On an {found.get('gpu', 'unknown GPU')}", "",
           f"{found.get('date')}, commit {found.get('commit')}; driver {found.get('driver')} for CUDA {found.get('cuda')}, "
           f"compute capability {found.get('compute_capability')}, {found.get('memory_mib')} MiB, {found.get('cores')} CPU "
           f"cores; PyTorch {found.get('pytorch')}. Made by `tools/gpu-check`."]
    out += section("Checks", checks(rows))
    out += section("An iteration, images/s", speed(part("bench")))
    out += section("PyTorch's ways, ms an iteration", peers(part("bench")))
    out += section("Kernels of an iteration, beside their floor", floors(part("floor"), part("bench"), found))
    out += section("Training", accuracies(part("training")))
    out += section("Kernels by themselves", benchmarks(part("kernels"), rows))
    return "\n".join(out) + "\n"


def section(title, body):
    return ["", f"## {title}", *body] if body else []


def checks(rows):
    body, notes = [], []
    for row in rows:
        if row["part"] in ("parity", "determinism", "sanitizer") or row["name"] in ("rest", "part", "data"):
            said = {"passed": lambda n: f"{n} passed", "checkpoint": lambda hash: f"checkpoint {hash}",
                    "reports": lambda n: f"{n} reports", "result": str,
                    "largest_relative_difference": lambda x: f"GPU and CPU differ by {x:.1e}"}
            result = ", ".join(form(row[key]) for key, form in said.items() if row.get(key) is not None)
            if row.get("failed"):
                result = "; ".join([f"FAILED: {row['failed']}", *row.get("failing", [])])
            body.append([row["part"], row["name"], result, row.get("seconds", "")])
            notes += [f"- {line}" for line in row.get("errors", [])]
    return lines(["check", "of", "result", "seconds"], body) + ([""] + notes if notes else [])


def spread(values, form="%.0f"):
    return f"{form % statistics.median(values)} [{form % min(values)}, {form % max(values)}]"


def ours(rows):
    """{(batch, precision, how): every run's row}."""
    runs = defaultdict(list)
    for row in rows:
        if row["name"] == "ours" and not row.get("failed"):
            runs[row["batch"], row["precision"], row["how"]].append(row)
    return runs


def speed(rows):
    runs, body = ours(rows), []
    for batch in sorted({row["batch"] for row in rows if "batch" in row}):
        for precision in PRECISIONS:
            mine = [row["images_per_s"] for row in runs[batch, precision, "recorded"]]
            theirs = [row for row in rows if row["name"] == "peer" and row.get("images_per_s")
                      and (row["batch"], row["precision"]) == (batch, precision)]
            eager = [row for row in theirs if "eager" in row["mode"]]
            cells = [batch, precision]
            cells += [spread(mine), "%.3f" % statistics.median(row["ms"] for row in runs[batch, precision, "recorded"])] if mine else ["", ""]
            for some in (eager, theirs):
                best = max(some, key=lambda row: row["images_per_s"], default=None)
                cells.append(f"{best['images_per_s']:.0f} ({best['mode'].removeprefix(precision + '-')})" if best else "")
                cells.append(f"{statistics.median(mine) / best['images_per_s']:.2f}" if best and mine else "")
            launched = runs[batch, precision, "launched"]
            cells.append("%.0f" % launched[-1]["images_per_s"] if launched else "")
            body.append(cells)
    failed = [["ours", label(row), row["failed"]] for row in rows if row.get("failed")]
    head = ["batch", "precision", "images/s [least, most]", "ms", "PyTorch eager", "ratio", "PyTorch's fastest", "ratio", "without a graph"]
    return lines(head, body) + lines(["failed", "what", "why"], failed)


def peers(rows):
    theirs = [row for row in rows if row["name"] == "peer"]
    batches = sorted({row["batch"] for row in theirs})
    cell = {(row["mode"], row["batch"]): "%.3f" % row["ms"] if row.get("ms") else row["without"] for row in theirs}
    modes = list(dict.fromkeys(row["mode"] for row in theirs))
    return lines(["mode", *(f"batch {batch}" for batch in batches)],
                 [[mode, *(cell.get((mode, batch), "") for batch in batches)] for mode in modes])


def floors(rows, timed, found):
    peak = peaks([found, *rows])
    out, sums = [], []
    for row in rows:
        if row["name"] == "measured peaks":
            said = [f"{key} {row[key] / 1e12:.2f} {'TB/s' if key == 'bytes' else 'TFLOP/s'}" for key in ("bytes", *PRECISIONS) if row.get(key)]
            out += ["", f"Measured through PyTorch: {', '.join(said)}. Floors are by {', '.join(f'{k} {v / 1e12:g}' for k, v in peak.items())} (T/s)."]
    if "bytes" not in peak:
        return out
    runs = ours(timed)
    for row in (row for row in rows if row["name"] == "profile" and row.get("rows")):
        kernels = [kernel for kernel in row["rows"] if kernel["calls"]]
        least = sum(floor_ms(kernel, peak, row["precision"]) for kernel in kernels)
        recorded = runs[row["batch"], row["precision"], "recorded"]
        ms = statistics.median(run["ms"] for run in recorded) if recorded else row["ms"]
        sums.append([row["batch"], row["precision"], "%.0f" % sum(k["calls"] for k in kernels), "%.3f" % ms,
                     "%.3f" % sum(k["ms"] for k in kernels), "%.3f" % least, "%.2f" % (least / ms)])
    out += lines(["batch", "precision", "kernels an iteration", "ms as recorded", "ms kernel by kernel", "floor, ms", "floor by ms"], sums)
    for row in (row for row in rows if row["name"] == "profile" and row.get("rows") and row["batch"] in (64, 1024)):
        kernels = sorted((k for k in row["rows"] if k["calls"]), key=lambda k: k["ms"], reverse=True)[:12]
        body = [[f"{k['op']} {k['shape']}".strip(), "%.0f" % k["calls"], "%.4f" % k["ms"],
                 "%.4f" % floor_ms(k, peak, row["precision"]), "%.1f" % (k["ms"] / max(floor_ms(k, peak, row["precision"]), 1e-9))] for k in kernels]
        out += ["", f"Batch {row['batch']}, {row['precision']}, the twelve longest (each waited for, so with the time of a launch):"]
        out += lines(["kernel", "calls", "ms", "floor, ms", "ms by floor"], body)
    return out


def accuracies(rows):
    body = [[row["data"], row["method"], row["device"], row["precision"], row["seed"],
             row["failed"] if row.get("failed") else row["accuracy"], row.get("cpu") or "", row.get("seconds", "")]
            for row in rows if row["name"] == "accuracy"]
    return lines(["set", "method", "device", "precision", "seed", "test accuracy, %", "on a CPU before", "seconds"], body)


def benchmarks(rows, every):
    peak = peaks([row for row in every if row["name"] in ("machine", "measured peaks")])
    out = []
    for row in rows:
        if row["name"] == "benchmarks" and row.get("rows"):
            body = []
            for k in row["rows"]:
                ceiling = peak.get("bytes" if k["unit"] == "GB/s" else k.get("precision", "f32"))
                share = f"{100 * k['rate'] * 1e9 / ceiling:.0f} %" if ceiling else ""
                body.append([k["kernel"], k["shape"], k.get("precision", ""), "%.2f" % (1e3 * k["ms"]), f"{k['rate']:.0f} {k['unit']}", share])
            out += lines(["kernel", "shape", "precision", "us", "rate", "of the stated peak"], body)
        elif row.get("failed"):
            out += ["", f"FAILED: {row['failed']}"]
    return out
