"""Writes resizes.json: digests of resizes by Pillow, and by torchvision of uint8 tensors, of pictures made by a formula.

    python make_resize_goldens.py     with requirements-processors.txt installed

Each row: width and height from, to, filter, box, reducing_gap, and the start of the pixels' SHA-256. `torch-` filters are
torchvision's.
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).parent
FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
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


def rows() -> list:
    draw = random.Random(20)
    for source, target in FIXED + [(size(draw, MOST_PIXELS), size(draw, 60_000)) for _ in range(500)]:
        picture = Image.fromarray(formula_picture(*source))
        for number, name in enumerate(FILTERS):
            made = picture.resize(target, Image.Resampling(number))
            yield [*source, *target, name, None, None, digest(np.asarray(made))]
    for _ in range(600):
        source, target = size(draw, 60_000), size(draw, 30_000)
        left, top = draw.uniform(0, source[0] * 0.8), draw.uniform(0, source[1] * 0.8)
        box = [left, top, draw.uniform(left + 0.1, source[0]), draw.uniform(top + 0.1, source[1])]
        if draw.random() < 0.4:
            box = [int(left), int(top), draw.randint(int(left) + 1, source[0]), draw.randint(int(top) + 1, source[1])]
        gap = draw.choice([None, None, 1.0, 1.5, 2.0, 3.0])
        number = draw.randint(0, 5)
        made = Image.fromarray(formula_picture(*source)).resize(target, number, box=box, reducing_gap=gap)
        yield [*source, *target, FILTERS[number], box, gap, digest(np.asarray(made))]
    for _ in range(300):
        source, target = size(draw, MOST_PIXELS), size(draw, 6_000)
        number, gap = draw.randint(0, 5), draw.choice([1.0, 1.1, 2.0, 3.0])
        made = Image.fromarray(formula_picture(*source)).resize(target, number, reducing_gap=gap)
        yield [*source, *target, FILTERS[number], None, gap, digest(np.asarray(made))]
    modes = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}
    for index in range(450):
        source, target = size(draw, MOST_PIXELS), size(draw, 60_000)
        name = list(modes)[index % 3]
        tensor = torch.from_numpy(formula_picture(*source)).permute(2, 0, 1)
        mode = {"nearest-exact": F.InterpolationMode.NEAREST_EXACT}.get(modes[name], modes[name])
        mode = F.InterpolationMode(mode) if isinstance(mode, str) else mode
        made = F.resize(tensor, [target[1], target[0]], interpolation=mode, antialias=True)
        yield [*source, *target, f"torch-{name}", None, None, digest(made.permute(1, 2, 0).numpy())]


if __name__ == "__main__":
    lines = [json.dumps(row) for row in rows()]
    (HERE / "resizes.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(len(lines), "resizes")
