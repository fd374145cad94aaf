"""Writes the goldens: results of PyTorch, and of SciPy, in f64 that the engine's tests compare with. README.md has the format.

    python golden/make.py [FOLDER] [NAME ...]        FOLDER: where to write; this folder without it. NAME: only these
"""
import json
import platform
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # before our own modules: nothing but the goldens is written here

import torch

import iterations
import layers
import measures
import methods
import networks
from formula import uniform

WIDTH = 140  # a JSON value longer than this goes over several lines, unless it is a plain list of numbers


def rendered(value, indent=0):
    """JSON, one entry a line; floats as Python's repr, which reads back to the same f64."""
    short = json.dumps(value, allow_nan=False)
    numbers = isinstance(value, list) and not any(isinstance(v, (dict, list)) for v in value)
    if not isinstance(value, (dict, list)) or numbers or len(short) <= WIDTH:
        return short
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        lines = [f"{pad}{json.dumps(k)}: {rendered(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(pad + rendered(v, indent + 1) for v in value) + "\n" + " " * indent + "]"


def write(folder, name, document):
    header = {"torch": torch.__version__.split("+")[0], "formula_check": {"digest.1": uniform("digest.1", 4).tolist()}}
    path = folder / f"{name}.json"
    path.write_text(rendered(header | document) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    print(f"Python {platform.python_version()}, PyTorch {torch.__version__}")
    for module in (layers, networks, iterations, methods, measures):
        if not sys.argv[2:] or module.__name__ in sys.argv[2:]:
            write(folder, module.__name__, module.document())


if __name__ == "__main__":
    main()
