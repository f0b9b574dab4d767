"""Writes opencv.json: digests of cv2.resize of 8-bit pictures made by a formula.

    python make_opencv_goldens.py     with requirements-opencv.txt installed

Each row: width and height from, to, method, and the start of the pixels' SHA-256. As the file is written OpenCV runs with all the
instructions of the machine and its threads; that neither changes a byte was seen with setUseOptimized(False) and setNumThreads(1).
"""

import json
import random
from pathlib import Path

import cv2
import numpy as np
from resize_sizes import FIXED, MOST_PIXELS, digest, formula_picture, size

HERE = Path(__file__).parent
METHODS = {"nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def sizes(draw: random.Random):
    yield from FIXED
    for _ in range(260):
        yield size(draw, MOST_PIXELS), size(draw, 60_000)
    # Whole factors, where area and linear take other ways, and one pixel beside them.
    for _ in range(60):
        width, height = draw.randint(1, 90), draw.randint(1, 90)
        across, down = draw.choice([(2, 2), (2, 2), (3, 3), (4, 4), (1, 2), (2, 1), (3, 2), (5, 7), (1, 3), (8, 8)])
        yield (width * across, height * down), (width, height)
        yield (width * across + 1, height * down + draw.randint(0, 1)), (width, height)
    # Area that grows one axis only.
    for _ in range(40):
        short, long = draw.randint(1, 60), draw.randint(61, 500)
        yield (short, long), (long, short)


def main() -> None:
    draw = random.Random(21)
    lines = []
    for source, target in sizes(draw):
        picture = formula_picture(*source)
        for name, method in METHODS.items():
            made = cv2.resize(picture, target, interpolation=method)
            plain = plainly(picture, target, method)
            if not np.array_equal(made, plain):
                raise SystemExit(f"{source} to {target} by {name} depends on the machine's instructions")
            lines.append(json.dumps([*source, *target, name, digest(made)]))
    (HERE / "opencv.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(len(lines), "resizes by OpenCV", cv2.__version__)


def plainly(picture: np.ndarray, target: tuple[int, int], method: int) -> np.ndarray:
    cv2.setUseOptimized(False)
    cv2.setNumThreads(1)
    try:
        return cv2.resize(picture, target, interpolation=method)
    finally:
        cv2.setUseOptimized(True)
        cv2.setNumThreads(2)


if __name__ == "__main__":
    main()
