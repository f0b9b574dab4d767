"""The pixels the model is trained on and served with: one function for both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PICTURE_SIZE = 256
"""Width and height of the model's input in pixels; Pillow's side of `preprocessor_config.json`."""


def serving_pixels(picture: Image.Image, size: int = PICTURE_SIZE) -> np.ndarray:
    """Turns a decoded picture into the model's input.

    The order is the contract's: EXIF orientation, RGB as Pillow's `convert("RGB")` makes it (transparency is
    dropped, not blended), then both sides squashed to `size` with Pillow's antialiased bilinear filter.

    Returns uint8 [size, size, 3], sRGB.
    """
    upright = ImageOps.exif_transpose(picture)
    resized = upright.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    return np.array(resized, dtype=np.uint8)


def read_serving_pixels(path: Path, size: int = PICTURE_SIZE) -> np.ndarray:
    """Decodes a picture file at its full size (no JPEG draft mode). Returns uint8 [size, size, 3]."""
    with Image.open(path) as picture:
        return serving_pixels(picture, size)
