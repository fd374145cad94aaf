#!/usr/bin/env python3
"""Draws a small labelled image set to try things out with: circles, squares and triangles in noise.

usage: docs/shapes.py DIR [IMAGES A CLASS, 120]

Writes DIR/<class>/NNN.png, and three images without a label into DIR-new. Needs nothing but Python.
"""
import random
import struct
import sys
import zlib
from pathlib import Path

SIZE = 40


def inside(shape, x, y):
    """Whether a point is in the shape, whose extent is -1 to 1."""
    if shape == "circle":
        return x * x + y * y < 1
    if shape == "square":
        return max(abs(x), abs(y)) < 0.85
    return -0.8 < y < 0.8 and abs(x) < (y + 0.8) / 1.6


def draw(shape, random):
    """Rows of RGB bytes: a light colour on a dark one, at any place, of any size, and noise."""
    ground, colour = ([random.randrange(least, least + 96) for _ in range(3)] for least in (0, 160))
    size = random.uniform(9, 16)
    x0, y0 = (random.uniform(size, SIZE - size) for _ in range(2))
    noisy = lambda v: min(255, max(0, round(v + random.gauss(0, 25))))
    rows = []
    for y in range(SIZE):
        of = [colour if inside(shape, (x - x0) / size, (y - y0) / size) else ground for x in range(SIZE)]
        rows.append(bytes(noisy(v) for pixel in of for v in pixel))
    return rows


def png(rows):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def main(folder, count=120):
    source = random.Random(0)
    for shape in ["circle", "square", "triangle"]:
        own = Path(folder) / shape
        own.mkdir(parents=True)
        for number in range(int(count)):
            (own / f"{number:03}.png").write_bytes(png(draw(shape, source)))
        new = Path(f"{folder}-new")
        new.mkdir(exist_ok=True)
        (new / f"a-{shape}.png").write_bytes(png(draw(shape, source)))


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (2, 3) else sys.exit(__doc__)
