"""What the generators of resizes share: the picture, the sizes, the digest. Needs NumPy only."""

import hashlib
import random

import numpy as np

MOST_PIXELS = 220_000


def formula_picture(width: int, height: int) -> np.ndarray:
    """value(x, y, c) = (7xx + 13y + 3xy + 101c + 5(x xor y)) mod 256: the same integers in any language."""
    y, x, c = np.ogrid[0:height, 0:width, 0:3]
    return ((7 * x * x + 13 * y + 3 * x * y + 101 * c + 5 * (x ^ y)) % 256).astype(np.uint8)


def edge(draw: random.Random) -> int:
    """From 1 to 8000, small ones as often as large ones."""
    return draw.choice([
        draw.randint(1, 16), draw.randint(1, 128), draw.randint(100, 600), draw.randint(500, 2500), draw.randint(1, 8000)
    ])  # fmt: skip


def size(draw: random.Random, most: int) -> tuple[int, int]:
    while True:
        width, height = edge(draw), edge(draw)
        if width * height <= most:
            return width, height


def digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()[:12]


FIXED = [
    ((1, 1), (1, 1)), ((1, 1), (17, 9)), ((17, 9), (1, 1)), ((2, 3), (299, 224)), ((400, 533), (256, 256)),
    ((533, 400), (299, 299)), ((400, 411), (224, 224)), ((256, 300), (256, 256)), ((300, 256), (256, 256)),
    ((256, 256), (256, 256)), ((1, 500), (33, 20)), ((500, 1), (20, 33)), ((1000, 8), (3, 8)), ((8, 1000), (8, 3)),
    ((2000, 30), (299, 7)), ((3, 3), (1000, 5)), ((640, 480), (341, 256)), ((127, 129), (128, 128)),
    ((1920, 40), (224, 40)), ((97, 63), (96, 62)), ((97, 63), (98, 64)), ((8000, 12), (224, 5)), ((12, 8000), (5, 224)),
    ((8000, 1), (1, 1)), ((1, 8000), (1, 1)), ((7, 5), (8000, 6)), ((5, 7), (6, 8000)), ((7999, 27), (7998, 26)),
]  # fmt: skip
