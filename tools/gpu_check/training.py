"""Whole trainings: accuracy and time on the GPU, beside the CPU's."""
import importlib.machinery
import importlib.util
import os

from .programs import last_line, read

SYNTHETIC = [("cuda", "f32", 0), ("cuda", "tf32", 0), ("cuda", "bf16", 0), ("cpu", "f32", 0), ("cuda", "f32", 1),
             ("cuda", "tf32", 1), ("cuda", "bf16", 1), ("cuda", "f32", 2), ("cuda", "tf32", 2), ("cuda", "bf16", 2)]
REAL = [("f32", 0), ("bf16", 0), ("f32", 1), ("f32", 2), ("f32", 3), ("f32", 4)]


def recipes(session):
    """benchmarks/run-accuracy, which says how the real sets are trained."""
    path = os.path.join(session.packed, "run-accuracy")
    loader = importlib.machinery.SourceFileLoader("run_accuracy", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_accuracy", loader))
    loader.exec_module(module)
    return module


def run(session):
    for number, (device, precision, seed) in enumerate(SYNTHETIC):
        arguments = ["train", "--seed", seed, "--device", device, "--precision", precision, "--json", "--quiet"]
        train(session, f"synthetic-{number}", arguments, data="synthetic", method="ec-gan", device=device,
              precision=precision, seed=seed)
        if number == 3 and session.arguments.data:
            real(session)


def is_set(folder):
    return any(os.path.exists(os.path.join(folder, name)) for name in ("train", "train_32x32.mat"))


def real(session):
    recipe, data = recipes(session), os.path.abspath(session.arguments.data)
    cells = [(os.path.basename(data), None, 12)] if is_set(data) else recipe.CELLS
    data = os.path.dirname(data) if is_set(data) else data
    cells = [cell for cell in cells if os.path.isdir(os.path.join(data, cell[0]))]
    if not cells:
        return session.row(name="data", failed=f"no known set in {data}: {[cell[0] for cell in recipe.CELLS]}")
    for precision, seed in REAL:
        for name, per_class, epochs in cells:
            for method in recipe.METHODS:
                arguments = recipe.recipe(data, name, per_class, epochs, method, seed)
                train(session, f"{name}-{method}-{precision}-{seed}", [*arguments, "--device", "cuda", "--precision", precision],
                      data=name, method=method, device="cuda", precision=precision, seed=seed,
                      cpu=on_cpu(session, name, method, seed))


def on_cpu(session, name, method, seed):
    """The same run's accuracy as measured on a CPU before."""
    runs = read([os.path.join(session.packed, "accuracy.jsonl")])
    return next((r["last"] for r in runs if (r["data"], r["method"], r["seed"]) == (name, method, seed)), None)


def train(session, folder, arguments, **what):
    summary, done = session.ecgan(*arguments, "--out", session.path(folder), limit=120 if what["device"] == "cuda" else 60)
    if summary is None:
        return session.row(name="accuracy", **what, failed=last_line(done))
    session.row(name="accuracy", **what, accuracy=round(summary["test_accuracy"], 2), seconds=round(summary["seconds"], 1))
