"""Right or wrong: parity, determinism, and what compute-sanitizer finds."""
import hashlib
import os
import re
import shutil
import struct
import zlib

from .programs import last_line, read

PRECISIONS = ["f32", "tf32", "bf16"]

# Of the kernels' tests those that are quick under the sanitizer.
SMALL = ["elementwise::", "losses::", "rows::", "random::", "optimizers::", "batch_norm::",
         "conv::products_match", "conv::transposed_convolution_matches"]


def parity(session):
    """Each test binary; the sizes of errors that it prints are kept."""
    for name in session.programs("-cuda-tests"):
        done = session.call([session.program(name), "--show-output"], 140, {"ECGAN_CUDA_TESTS": "1"})
        verdicts = re.findall(r"^test (\S+) \.\.\. (\w+)", done.out, re.M)
        failed = sorted({test for test, verdict in verdicts if verdict == "FAILED"})
        count = re.search(r"test result: \w+\. (\d+) passed; (\d+) failed", done.out)
        passed = int(count[1]) if count else sum(verdict == "ok" for _, verdict in verdicts)
        skipped = "skipped: neither" in done.out
        session.row(
            name=name, passed=passed, failing=failed, seconds=round(done.seconds, 1),
            errors=re.findall(r"^.*\|y - y64\|.*$", done.out, re.M),
            failed=done.why and last_line(done) or ("ran on no GPU" if skipped else None) or
            (f"{len(failed)} tests" if failed else None) or (None if passed else "no test ran"),
        )


def training(session, out, precision, *more, device="cuda", data="synthetic", limit=40):
    """Seventeen iterations over 600 drawn images; the summary, what happened, and the last checkpoint's bytes as a hash."""
    folder = session.path(out)
    shutil.rmtree(folder, ignore_errors=True)
    arguments = ["train", "--data", data, "--preset", "paper", "--threshold", "0.1", "--epochs", 2, "--max-steps", 17,
                 "--seed", 3, "--device", device, "--precision", precision, "--out", folder, "--json", "--quiet"]
    if data == "synthetic":
        arguments += ["--samples", 600]
    summary, done = session.ecgan(*arguments, *more, limit=limit)
    if summary is None:
        return None, done, None
    with open(os.path.join(folder, "checkpoints", "last.safetensors"), "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    return summary, done, digest


def determinism(session):
    for precision in PRECISIONS:
        digests, failed, seconds = {}, None, 0.0
        for how, flags in [("recorded", []), ("launched", ["--no-graph"])]:
            for run in (1, 2):
                _, done, digest = training(session, f"{precision}-{how}-{run}", precision, *flags)
                seconds += done.seconds
                failed = failed or (last_line(done) if digest is None else None)
                digests[f"{how} {run}"] = digest
        same = len(set(digests.values())) == 1
        session.row(name=precision, checkpoint=(digests["recorded 1"] or "")[:12], seconds=round(seconds, 1),
                    failed=failed or (None if same else f"checkpoints differ: { {k: (v or '')[:8] for k, v in digests.items()} }"))
    _, done, digest = training(session, "cpu", "f32", device="cpu", limit=60)
    if digest is None:
        return session.row(name="losses", failed=last_line(done))
    compare_losses(session)


def compare_losses(session):
    """The first epoch's losses on the GPU beside the CPU's: roundings part the two, mistakes do so at once."""
    paths = [session.path(run, "metrics.jsonl") for run in ("f32-recorded-1", "cpu")]
    if not all(map(os.path.exists, paths)):
        return
    gpu, cpu = [read([path])[0] for path in paths]
    keys = [key for key in gpu if key.startswith("loss_") and cpu.get(key) and gpu[key] is not None]
    differences = {key: abs(gpu[key] - cpu[key]) / abs(cpu[key]) for key in keys}
    worst = max(differences.values(), default=1.0)
    session.row(name="losses", largest_relative_difference=round(worst, 6),
                failed=None if keys and worst < 0.1 else f"GPU and CPU: {differences}")


def png(path, shade):
    """A 32x32 RGB image: two shades, so that no channel is constant."""
    rows = b"".join(b"\0" + bytes((shade + 5 * x + 3 * y + 40 * c) % 256 for x in range(32) for c in range(3)) for y in range(32))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def tiny_set(folder):
    """Three classes of eight training images and two test images each: the end of a run is short too."""
    for k, name in enumerate(["one", "two", "three"]):
        for split, n in [("train", 8), ("test", 2)]:
            os.makedirs(os.path.join(folder, split, name), exist_ok=True)
            for i in range(n):
                png(os.path.join(folder, split, name, f"{i}.png"), 70 * k + 7 * i)
    return folder


def sanitizer(session):
    program = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if not os.path.exists(program):
        return session.row(name="compute-sanitizer", failed="not on this machine")
    data = tiny_set(session.path("tiny"))
    tests = [session.program("kernels-cuda-tests"), "--test-threads", "1", *SMALL]
    train = [session.program("ecgan"), "train", "--data", data, "--preset", "paper", "--threshold", "0.1", "--batch", "4",
             "--epochs", "1", "--max-steps", "3", "--device", "cuda", "--quiet"]
    cases = [(tool, f"training {precision} {how}", train + ["--precision", precision, *flags], 60)
             for precision in PRECISIONS for how, flags in [("launched", ["--no-graph"]), ("recorded", [])]
             for tool in ["memcheck", "racecheck", "initcheck"]]
    # One precision of everything first.
    order = cases[:6] + [(tool, "kernels' tests", tests, 100) for tool in ["memcheck", "racecheck", "initcheck"]] + cases[6:]
    for number, (tool, what, command, limit) in enumerate(order):
        # Errors that a call returns are checked by our programs; tests provoke some.
        flags = ["--tool", tool, "--report-api-errors", "no", "--error-exitcode", "66", "--print-limit", "20"]
        more = ["--out", session.path(f"sanitized-{number}")] if what.startswith("training") else []
        done = session.call([program, *flags, *command, *more], limit, {"ECGAN_CUDA_TESTS": "1"})
        text = done.out + done.err
        counts = [int(n) for n in re.findall(r"(?:ERROR SUMMARY: (?=\d)|RACECHECK SUMMARY: )(\d+)", text)]
        found = re.findall(r"========= (?:Invalid|Uninitialized|Error: Race|Warning: Race|Error:).*", text)
        failed = (f"{counts[-1]} reports, first: {found[0] if found else ''}" if counts and counts[-1]
                  else last_line(done) if done.why else None if counts else "no summary")
        session.row(name=f"{tool}, {what}", reports=counts[-1] if counts else None, seconds=round(done.seconds, 1), failed=failed)
