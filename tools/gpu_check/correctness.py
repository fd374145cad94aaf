"""The parts of tools/gpu-check that say right or wrong. Each gives whether all was well, and a word on it."""

import array
import json
import math
import re
import shutil
import struct

# Quick under a sanitizer, and none that provokes an error of the driver, which memcheck would count.
SMALL_TESTS = ["augment::", "record::", "elementwise::", "rows::", "losses::", "optimizers::", "runtime::a_recorded_step", "runtime::two_lanes",
               "runtime::what_the_lane_beside", "runtime::what_one_lane_drops", "runtime::what_the_second_lane", "conv::products_match", "conv::tiles_with_a_margin", "conv_parts::", "batch_norm::a_constant_channel",
               "batch_norm::groups", "batch_norm::the_gradients_of_groups", "batch_norm::statistics_of_parts", "random::random_numbers"]

# Those that run on a GPU too.
GOLDENS = ["iterations::every_iteration_matches"]


def parity(check):
    check.table(["binary", "passed", "failed", "seconds"])
    well, failures = True, []
    for name, tests in [("kernels-cuda-tests", []), ("tensor-tensor-tests", []), ("ecgan-cuda-tests", []), ("ecgan-goldens-tests", GOLDENS)]:
        command, limit = [check.packed / name, "--show-output", *tests], 0.7 * check.left()
        ran = check.run(command, limit, both=True, ECGAN_CUDA_TESTS="1", RUST_BACKTRACE="0",
                        ECGAN_GOLDEN=str(check.packed / "golden"))
        results = dict(re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED)", ran.text, re.M))
        bad = [test for test, result in results.items() if result == "FAILED"]
        skipped = "skipped:" in ran.text
        good = ran.code == 0 and not bad and not skipped and results
        well &= bool(good)
        check.row(name, len(results) - len(bad), len(bad), f"{ran.seconds:.1f}")
        check.keep(binary=name, results=results, code=ran.code, seconds=ran.seconds)
        for test in bad:
            section = re.search(rf"^---- {re.escape(test)} stdout ----\n(.*?)(?=^---- |^failures:$|\Z)", ran.text, re.M | re.S)
            failures.append((f"{name} {test}", section.group(1) if section else ran.text))
        if not good and not bad:
            failures.append((name + (": tests were skipped" if skipped else ""), f"{ran.text}\n{ran.why(1)}"))
    for name, text in failures:
        check.say(f"\n{name}:\n\n```\n" + "\n".join(text.strip().splitlines()[-40:]) + "\n```")
    return well, f"{len(failures)} failures" if failures else "all passed"


def tensors(path):
    """Name to (type, shape, bytes) of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header, data = json.loads(data[8:8 + length]), data[8 + length:]
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def short_training(check, name, precision, steps, batch, *more, **how):
    """A run of few steps, through `how["prefix"]` if given, and its folder."""
    folder, prefix = check.work / name, how.pop("prefix", [])
    words = ["train", "--device", "cuda", "--precision", precision, "--samples", 200, "--epochs", 9, "--max-steps", steps,
             "--batch", batch, "--seed", 0, "--out", folder, "--json", "--quiet", *more]
    return check.run([*prefix, check.packed / "ecgan", *words], **how), folder


def determinism(check):
    # Small batches, and such as fill a GPU, where kernels on several streams meet other ones.
    check.table(["precision", "batch", "graph twice", "launched in turn", "not finite", "seconds"])
    well = True
    for precision, batch in [(precision, batch) for precision in check.a.precision for batch in (16, 128)]:
        got, seconds = [], 0
        for name, more in [("graph", []), ("again", []), ("launched", ["--no-graph"])]:
            ran, folder = short_training(check, f"{precision}-{batch}-{name}", precision, 6, batch, *more)
            seconds += ran.seconds
            if ran.code != 0:
                check.row(precision, batch, f"{name}: {ran.why()}", "", "", "")
                break
            got.append(tensors(folder / "checkpoints" / "last.safetensors"))
        if len(got) < 3:
            well = False
            continue
        first = got[0]
        odd = [sum(other.get(n) != first.get(n) for n in first.keys() | other.keys()) for other in got[1:]]
        values = lambda t: array.array("f", t[2]) if t[0] == "F32" else ()
        infinite = sum(not all(map(math.isfinite, values(t))) for t in first.values())
        well &= not any(odd) and not infinite and bool(first)
        cells = [f"{o} of {len(first)} tensors differ" if o else f"{len(first)} tensors equal" for o in odd]
        check.row(precision, batch, *cells, f"{infinite} tensors", f"{seconds:.1f}")
        check.keep(precision=precision, batch=batch, differing=odd, tensors=len(first), infinite=infinite, seconds=seconds)
    return well, "the same bits" if well else "not the same bits"


def sanitizer(check):
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
    if not tool:
        return False, "compute-sanitizer was found neither on PATH nor in /usr/local/cuda/bin"
    check.table(["tool", "over", "errors", "seconds"])
    # A recorded run launches its first step and replays the other two.
    whats = [("tests", []), *((p, how) for how in (["--no-graph"], []) for p in check.a.precision)]
    jobs = [(kind, *what) for what in whats for kind in ["memcheck", "racecheck", "initcheck"]]
    well, reports = True, []
    for i, (kind, over, how) in enumerate(jobs):
        limit, prefix = max(20, 2 * check.left() / (len(jobs) - i)), [tool, "--tool", kind, "--print-limit", "20"]
        if over == "tests":
            command = [*prefix, check.packed / "kernels-cuda-tests", *SMALL_TESTS, "--test-threads=1"]
            ran, what = check.run(command, limit, both=True, ECGAN_CUDA_TESTS="1"), "small kernel tests"
        else:
            ran, _ = short_training(check, f"{kind}-{over}-{i}", over, 3, 4, *how, prefix=prefix, limit=limit, both=True)
            what = f"train, 3 steps, {over}, {'launched' if how else 'recorded'}"
        counts = [int(n) for n in re.findall(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", ran.text)]
        count = sum(counts) if counts and ran.code is not None else None
        well &= count == 0 and ran.code == 0
        shown = ran.why() if count is None or (not count and ran.code) else count
        check.row(kind, what, shown, f"{ran.seconds:.1f}")
        check.keep(tool=kind, over=what, errors=count, code=ran.code, seconds=ran.seconds)
        if count:
            reports.append((f"{kind}, {what}", [line for line in ran.text.splitlines() if line.startswith("=====")][:40]))
    for name, lines in reports:
        check.say(f"\n{name}:\n\n```\n" + "\n".join(lines) + "\n```")
    return well, "no errors" if well else "see the table"
