"""Writes resizes.json: digests of resizes by Pillow, and by torchvision of uint8 tensors, of pictures made by a formula.

    python make_resize_goldens.py     with requirements-processors.txt installed

Each row: width and height from, to, filter, box, reducing_gap, and the start of the pixels' SHA-256. `torch-` filters are
torchvision's.
"""

import json
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from resize_sizes import FIXED, MOST_PIXELS, digest, formula_picture, size
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).parent
FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]


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
