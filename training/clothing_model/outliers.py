"""Pictures that show no clothes, made up for training: the model learns to answer them with all labels alike.

`odd_pictures.py` draws the pictures that *judge* this, with other code and other motifs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Drawing = Callable[[int, np.random.Generator, np.ndarray], np.ndarray]


def _enlarge(coarse: np.ndarray, size: int, filter: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(coarse).resize((size, size), filter))


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def white_noise(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """Independent pixels around a random gray, coloured or not."""
    channels = 3 if rng.random() < 0.5 else 1
    noise = rng.normal(rng.uniform(40, 215), rng.uniform(10, 90), (size, size, channels))
    return np.broadcast_to(noise, (size, size, 3)).clip(0, 255).astype(np.uint8)


def coarse_noise(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """Few random cells, enlarged as blocks or as soft clouds."""
    cells = int(rng.integers(2, 40))
    coarse = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return _enlarge(coarse, size, rng.choice([Image.Resampling.NEAREST, Image.Resampling.BICUBIC]))


def pink_noise(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """Noise with the spectrum of natural pictures (power falls with frequency), gray or coloured."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij"))
    falloff = 1 / np.maximum(frequency, 1 / size) ** rng.uniform(0.7, 2.0)
    planes = []
    for _ in range(3 if rng.random() < 0.6 else 1):
        spectrum = falloff * np.exp(2j * np.pi * rng.random(falloff.shape))
        plane = np.fft.irfft2(spectrum, (size, size))
        planes.append(plane / plane.std() * rng.uniform(20, 60) + rng.uniform(70, 185))
    return np.broadcast_to(np.stack(planes, -1), (size, size, 3)).clip(0, 255).astype(np.uint8)


def gradient(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """One colour running into another along a line or around a point; now and then one colour alone."""
    first, second = np.array(_colour(rng)), np.array(_colour(rng))
    if rng.random() < 0.2:
        second = first
    down, across = np.mgrid[0:size, 0:size] / size
    angle = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.5:
        share = np.cos(angle) * (across - 0.5) + np.sin(angle) * (down - 0.5) + 0.5
    else:
        share = np.hypot(across - rng.random(), down - rng.random())
    share = share.clip(0, 1)[..., None]
    return (first * share + second * (1 - share)).astype(np.uint8)


def stripes(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """Stripes, crossed stripes or rings of two colours."""
    down, across = np.mgrid[0:size, 0:size] / size
    angle, count = rng.uniform(0, np.pi), rng.uniform(2, 40)
    kind = rng.integers(0, 3)
    wave = np.sin(2 * np.pi * count * (np.cos(angle) * across + np.sin(angle) * down))
    if kind == 1:
        wave = wave * np.sin(2 * np.pi * count * (np.sin(angle) * across - np.cos(angle) * down))
    if kind == 2:
        wave = np.sin(2 * np.pi * count * np.hypot(across - rng.random(), down - rng.random()))
    if rng.random() < 0.5:
        wave = np.sign(wave)
    share = (wave[..., None] + 1) / 2
    return (np.array(_colour(rng)) * share + np.array(_colour(rng)) * (1 - share)).astype(np.uint8)


def shapes(size: int, rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Triangles, boxes and discs on one colour or on a gradient."""
    picture = Image.fromarray(gradient(size, rng, photo))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, 25))):
        left, top = rng.uniform(-0.2, 1, 2) * size
        width, height = rng.uniform(0.03, 0.6, 2) * size
        kind = rng.integers(0, 3)
        if kind == 0:
            draw.ellipse((left, top, left + width, top + height), fill=_colour(rng))
        elif kind == 1:
            draw.rectangle((left, top, left + width, top + height), fill=_colour(rng))
        else:
            corners = [(float(x), float(y)) for x, y in rng.uniform(0, size, (int(rng.integers(3, 6)), 2))]
            draw.polygon(corners, fill=_colour(rng))
    return np.asarray(picture)


def strokes(size: int, rng: np.random.Generator, _photo: np.ndarray) -> np.ndarray:
    """Rows of short strokes, like handwriting on a page, or a tangle of long ones."""
    picture = Image.new("RGB", (size, size), _colour(rng))
    draw, ink = ImageDraw.Draw(picture), _colour(rng)
    if rng.random() < 0.5:
        height = rng.uniform(0.03, 0.12) * size
        for top in np.arange(height / 2, size - height, height * 1.6):
            left = height
            while left < size - height:
                points = rng.uniform(0, height, (int(rng.integers(2, 5)), 2)) * (0.6, 1) + (left, top)
                draw.line([(float(x), float(y)) for x, y in points], fill=ink, width=max(1, int(height / 8)))
                left += height * rng.uniform(0.5, 1.2)
    else:
        for _ in range(int(rng.integers(3, 40))):
            points = rng.uniform(0, size, (int(rng.integers(2, 5)), 2))
            ink = ink if rng.random() < 0.7 else _colour(rng)
            draw.line([(float(x), float(y)) for x, y in points], fill=ink, width=int(rng.integers(1, 7)))
    return np.asarray(picture)


def shuffled_patches(size: int, rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A photo cut into 4 x 4 to 10 x 10 pieces, in random order and turned: its colours without its things."""
    count = int(rng.integers(4, 11))
    side = photo.shape[0] // count
    pieces = photo[: side * count, : side * count].reshape(count, side, count, side, 3).swapaxes(1, 2)
    pieces = pieces.reshape(count * count, side, side, 3)[rng.permutation(count * count)]
    pieces = np.stack([np.rot90(piece, int(rng.integers(0, 4))) for piece in pieces])
    joined = pieces.reshape(count, count, side, side, 3).swapaxes(1, 2).reshape(side * count, side * count, 3)
    return _enlarge(np.ascontiguousarray(joined), size, Image.Resampling.BILINEAR)


def tiny_crop(size: int, rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A tenth to a fifth of a photo's side, enlarged: cloth, wall or floor, and nobody could tell of what."""
    side = int(photo.shape[0] * rng.uniform(0.09, 0.2))
    top, left = rng.integers(0, photo.shape[0] - side, 2)
    crop = np.ascontiguousarray(photo[top : top + side, left : left + side])
    return _enlarge(crop, size, Image.Resampling.BICUBIC)


DRAWINGS: tuple[Drawing, ...] = (
    white_noise, coarse_noise, pink_noise, gradient, stripes, shapes, strokes, shuffled_patches, tiny_crop,
)  # fmt: skip


def outlier(size: int, rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Draws one picture without clothes.

    @param photo uint8 [h, h, 3] training photo; two of the nine drawings are cut out of it.
    @returns uint8 [size, size, 3].
    """
    return DRAWINGS[int(rng.integers(0, len(DRAWINGS)))](size, rng, photo)
