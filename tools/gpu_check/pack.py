"""Builds what runs on the machine with the GPU, and sees to it that it can run there."""
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

GLIBC, BYTES = (2, 39), 64_000_000
SCRIPTS = ["tools/gpu-check", "tools/gpu_check/*.py", "benchmarks/peers/*.py", "benchmarks/run-accuracy",
           "benchmarks/accuracy.jsonl"]


def executables(root, command, wanted):
    """What cargo built, {name: path}, of the targets that `wanted` says."""
    command = ["cargo", *command, "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    found = {}
    for message in map(json.loads, built.stdout.splitlines()):
        if message["reason"] == "compiler-artifact" and message["executable"] and wanted(message["target"]):
            package = message["package_id"].partition("#")[0].rpartition("/")[2]
            found[package] = Path(message["executable"])
    return found


def glibc(path):
    """The newest version of glibc whose symbols it needs."""
    symbols = subprocess.run(["objdump", "-T", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    return max((tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([0-9.]+)", symbols)), default=(0, 0))


def commit(root):
    git = lambda *arguments: subprocess.run(["git", *arguments], cwd=root, stdout=subprocess.PIPE, text=True).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + (" with changes" if git("status", "--porcelain") else "")


def main(root, folder):
    root = Path(root)
    folder = Path(folder) if folder else root / "target" / "gpu-check"
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    programs = {"ecgan": executables(root, ["build", "--release", "-p", "cli"], lambda t: t["name"] == "ecgan")["cli"]}
    is_test = lambda t: t["kind"] == ["test"] and t["name"] == "cuda"
    for package, path in executables(root, ["test", "--workspace", "--test", "cuda", "--no-run"], is_test).items():
        programs[f"{package}-cuda-tests"] = path
    is_bench = lambda t: t["kind"] == ["bench"]
    programs["kernels-bench"] = executables(root, ["bench", "-p", "kernels", "--no-run"], is_bench)["kernels"]

    for name, path in programs.items():
        subprocess.run(["strip", "-o", folder / "bin" / name, path], check=True)
        needs = glibc(folder / "bin" / name)
        print(f"{name:20} {(folder / 'bin' / name).stat().st_size / 1e6:6.1f} MB, glibc {needs[0]}.{needs[1]}")
        if needs > GLIBC:
            sys.exit(f"{name} needs glibc {needs[0]}.{needs[1]}; the machine has {GLIBC[0]}.{GLIBC[1]}")
    for path in (path for pattern in SCRIPTS for path in root.glob(pattern)):
        place = path.relative_to(root)
        to = folder / Path(*place.parts[1:])
        to.parent.mkdir(exist_ok=True)
        shutil.copy(path, to)
    manifest = {"commit": commit(root), "packed": str(date.today()), "programs": sorted(programs)}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {total / 1e6:.1f} MB, commit {manifest['commit']}")
    if total > BYTES:
        sys.exit(f"that is more than the {BYTES / 1e6:.0f} MB that travel")
    print(f"there: {os.path.relpath(folder, root)}/gpu-check run --out DIR")
