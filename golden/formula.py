"""Numbers that two programs can make alike, and the digests that stand for large tensors.

    value(name, i) = offset + scale * u(name, i),   u = (s >> 11) * 2^-52 - 1   in [-1, 1)
    s = mix(fnv1a64(name) + (i + 1) * 0x9E3779B97F4A7C15  mod 2^64)

`mix` is the finalizer of SplitMix64 (Steele, Lea and Flood 2014), fnv1a64 the 64-bit FNV-1a hash of the UTF-8 name. u is an
integer multiple of 2^-52 and exact; the product and the sum are rounded once each, so nothing but IEEE f64 is needed.
i is the flat index in PyTorch's layout.
"""
import numpy as np
import torch

FULL = 64  # tensors of at most this many elements are stored whole unless told otherwise
FIRST = 8  # elements at the front of a digested tensor that are stored as they are
MASK = (1 << 64) - 1


def fnv1a64(name):
    h = 0xCBF29CE484222325
    for byte in name.encode("utf-8"):
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def bits(name, n):
    """The top 53 bits of s(name, i) for i in 0..n, as uint64."""
    i = np.arange(1, n + 1, dtype=np.uint64)
    s = np.uint64(fnv1a64(name)) + i * np.uint64(0x9E3779B97F4A7C15)
    s = (s ^ (s >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    s = (s ^ (s >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (s ^ (s >> np.uint64(31))) >> np.uint64(11)


def uniform(name, n):
    return bits(name, n).astype(np.float64) * 2.0**-52 - 1.0


def spec(name, shape, scale, offset=0.0):
    """The manifest's entry for a tensor that is filled by the formula."""
    return {"name": name, "shape": list(shape), "offset": float(offset), "scale": float(scale)}


def fill(entry, dtype=torch.float64):
    """The tensor that an entry of `spec` stands for; f32 is the f64 value rounded."""
    n = int(np.prod(entry["shape"], dtype=np.int64))
    values = entry["offset"] + entry["scale"] * uniform(entry["name"], n)
    return torch.from_numpy(values).reshape(entry["shape"]).to(dtype)


def labels(name, n, classes):
    return [int(b) % classes for b in bits(name, n)]


PROJECTIONS = {}


def projection(k, n):
    """The first n values of digest.k; a longer one is made once and kept, since every length is a prefix of it."""
    if k not in PROJECTIONS or len(PROJECTIONS[k]) < n:
        PROJECTIONS[k] = uniform(f"digest.{k}", max(n, 1 << 16))
    return PROJECTIONS[k][:n]


def digest(flat):
    """[l2, sum(v f1), sum(v f2), sum(v f3)] of a flat f64 array."""
    l2 = float(np.sqrt(np.sum(flat * flat)))
    return [l2] + [float(np.sum(flat * projection(k, len(flat)))) for k in (1, 2, 3)]


def flatten(tensor):
    return tensor.detach().to(torch.float64).contiguous().numpy().reshape(-1)


def stored(tensor, full=FULL):
    """The manifest's entry for a result: whole up to `full` elements, else a digest."""
    flat, shape = flatten(tensor), list(tensor.shape)
    if flat.size <= full:
        return {"shape": shape, "data": flat.tolist()}
    return {"shape": shape, "digest": digest(flat), "first": flat[:FIRST].tolist()}
