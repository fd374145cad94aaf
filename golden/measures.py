"""Frechet and kernel distances of small sets of features, by NumPy and SciPy in f64."""
import numpy as np
import scipy.linalg

from formula import spec, uniform

# name, shape of either set, offset and scale of the second: more images than features, fewer, one of each, far from the origin.
CASES = [
    ("tall", (50, 8), (40, 8), 0.3, 0.7),
    ("wide", (12, 20), (9, 20), 0.1, 1.5),
    ("tall_and_wide", (31, 20), (9, 20), 0.0, 1.0),
    ("one_feature", (7, 1), (5, 1), 0.5, 0.5),
    ("far", (30, 6), (25, 6), 100.0, 2.0),
]


def frechet(a, b):
    """|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^1/2). The root of a singular S1 S2 has half of the digits only, so the trace of it is
    taken as the sum of the singular values of S1^1/2 S2^1/2, either root by its eigenvalues; sqrtm must agree within its digits."""
    s1, s2 = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    trace = np.trace(s1) + np.trace(s2)
    between = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)

    def factor(x):  # F with F F^T the covariance
        u, s, _ = np.linalg.svd((x - x.mean(axis=0)).T / np.sqrt(len(x) - 1), full_matrices=False)
        return u * s

    root = np.sum(np.linalg.svd(factor(a).T @ factor(b), compute_uv=False))
    by_root = np.trace(np.real(scipy.linalg.sqrtm(s1 @ s2)))
    tolerance = 1e-12 if min(len(a), len(b)) > a.shape[1] else 1e-6
    assert abs(root - by_root) < tolerance * trace, (root, by_root)
    return float(between + trace - 2 * root)


def discrepancy(a, b):
    """The unbiased squared maximum mean discrepancy, pair by pair."""
    k = lambda x, y: (np.dot(x, y) / len(x) + 1) ** 3
    within = lambda x: np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
    return float(within(a) + within(b) - 2 * np.mean([k(x, y) for x in a for y in b]))


def values(entry):
    flat = entry["offset"] + entry["scale"] * uniform(entry["name"], int(np.prod(entry["shape"])))
    return flat.reshape(entry["shape"])


def document():
    cases = []
    for name, shape_a, shape_b, offset, scale in CASES:
        a = spec(f"measures_{name}.a", shape_a, 1.0, offset if name == "far" else 0.0)
        b = spec(f"measures_{name}.b", shape_b, scale, offset)
        x, y = values(a), values(b)
        cases.append({"name": name, "a": a, "b": b, "frechet_distance": frechet(x, y), "squared_discrepancy": discrepancy(x, y),
                      "frechet_distance_to_itself": frechet(x, x), "squared_discrepancy_to_itself": discrepancy(x, x)})
    return {"scipy": scipy.__version__, "numpy": np.__version__, "cases": cases}
