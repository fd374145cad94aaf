"""The names of modes.py's modes, for programs that have no torch."""
import sys

PRECISIONS = ["f32", "tf32", "bf16"]
COMPILED = {"compile": "default", "max-autotune": "max-autotune-no-cudagraphs", "reduce-overhead": "reduce-overhead"}
HOWS = ["eager", "graph", *COMPILED, "compile-graph", "max-autotune-graph"]
# The dearest last: what a limit of time leaves out is then the least.
ALL = [f"{p}-{how}" for how in ["eager", "eager-cl", "graph", "graph-cl", "compile-graph", "compile-graph-cl", "compile",
                                "reduce-overhead", "max-autotune-graph"] for p in PRECISIONS]


def parse(mode):
    """(precision, how, whether channels_last)."""
    rest, channels_last = (mode[:-3], True) if mode.endswith("-cl") else (mode, False)
    first, _, how = rest.partition("-")
    precision, how = (first, how) if first in PRECISIONS else ("f32", rest)
    if how not in HOWS:
        sys.exit(f"--modes: expected [{'-|'.join(PRECISIONS)}-]({'|'.join(HOWS)})[-cl], got {mode}")
    return precision, how, channels_last


def compiler(how):
    """The mode of torch.compile that it is, or None."""
    return COMPILED.get(how.removesuffix("-graph"))
