"""Writes pillow12.json: digests of resizes by Pillow 12, which begins with the rows whatever the shape.

    python make_pillow12_goldens.py     in an environment with pillow==12.0.0 and numpy==2.4.6
"""

import hashlib
import json
import random
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]


def formula_picture(width: int, height: int) -> Image.Image:
    """value(x, y, c) = (7xx + 13y + 3xy + 101c + 5(x xor y)) mod 256: the same integers in any language."""
    y, x, c = np.ogrid[0:height, 0:width, 0:3]
    return Image.fromarray(((7 * x * x + 13 * y + 3 * x * y + 101 * c + 5 * (x ^ y)) % 256).astype(np.uint8))


def rows():
    draw = random.Random(5)
    for _ in range(200):
        source = draw.randint(1, 300), draw.randint(1, 900)
        target = draw.randint(1, 150), draw.randint(1, 150)
        number = draw.randint(0, 5)
        made = formula_picture(*source).resize(target, number)
        digest = hashlib.sha256(np.asarray(made).tobytes()).hexdigest()[:12]
        yield [*source, *target, FILTERS[number], None, None, digest]


if __name__ == "__main__":
    assert PIL.__version__ == "12.0.0", PIL.__version__
    lines = [json.dumps(row) for row in rows()]
    (Path(__file__).parent / "pillow12.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
