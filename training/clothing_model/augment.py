"""Random views of training photos: where the camera stood, the light, what hid the clothes, and mixtures of two."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def random_views(pixels: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """Crops, turns and mirrors each photo and samples it at `size` pixels.

    @param pixels uint8 [n, h, w, 3], serving pixels.
    @returns float32 [n, 3, size, size] in 0..255. The crop has 0.4 to 1 of the area, sides up to 4:3 longer than
        the other, up to 15 degrees of turn; outside the photo its mirror image is seen.
    """
    rows = len(pixels)
    area = rng.uniform(0.4, 1.0, rows)
    aspect = np.exp(rng.uniform(-math.log(4 / 3), math.log(4 / 3), rows) / 2)
    width = np.minimum(np.sqrt(area) * aspect, 1.0)
    height = np.minimum(np.sqrt(area) / aspect, 1.0)
    turn = np.deg2rad(rng.uniform(-15, 15, rows)) * (rng.random(rows) < 0.5)
    mirror = np.where(rng.random(rows) < 0.5, -1.0, 1.0)
    transform = np.zeros((rows, 2, 3), np.float32)
    transform[:, 0, 0] = mirror * width * np.cos(turn)
    transform[:, 0, 1] = -height * np.sin(turn)
    transform[:, 1, 0] = mirror * width * np.sin(turn)
    transform[:, 1, 1] = height * np.cos(turn)
    transform[:, 0, 2] = rng.uniform(-1, 1, rows) * (1 - width)
    transform[:, 1, 2] = rng.uniform(-1, 1, rows) * (1 - height)
    grid = F.affine_grid(torch.from_numpy(transform).to(pixels.device), [rows, 3, size, size], align_corners=False)
    photos = pixels.permute(0, 3, 1, 2).float()
    return F.grid_sample(photos, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def random_light(photos: Tensor, rng: np.random.Generator) -> Tensor:
    """Changes brightness, contrast, saturation and colour of float32 [n, 3, h, w] in 0..255; a tenth becomes gray."""
    rows = len(photos)

    def per_photo(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(photos.device).view(rows, -1, 1, 1)

    brightness = rng.uniform(0.7, 1.3, rows) * np.where(rng.random(rows) < 0.1, rng.uniform(0.3, 0.8, rows), 1.0)
    saturation = rng.uniform(0.6, 1.4, rows) * (rng.random(rows) >= 0.1)
    gain = per_photo(brightness[:, None] * rng.uniform(0.93, 1.07, (rows, 3)))
    photos = photos * gain
    mean = photos.mean((1, 2, 3), keepdim=True)
    photos = (photos - mean) * per_photo(rng.uniform(0.7, 1.3, rows)) + mean
    gray = photos.mean(1, keepdim=True)
    return ((photos - gray) * per_photo(saturation) + gray).clamp_(0, 255)


def lose_detail(photos: Tensor, rng: np.random.Generator) -> Tensor:
    """Makes one photo in ten as coarse as a thumbnail of 40 to 100 pixels. In place on float32 [n, 3, h, w]."""
    size = photos.shape[-1]
    for row in np.flatnonzero(rng.random(len(photos)) < 0.1):
        small = F.interpolate(photos[row : row + 1], size=int(rng.integers(40, 100)), mode="bilinear", antialias=True)
        photos[row] = F.interpolate(small, size=size, mode="bilinear")[0]
    return photos


def erase(photos: Tensor, rng: np.random.Generator) -> Tensor:
    """Covers 2 to 20 % of one photo in four with one colour or noise. In place on float32 [n, 3, h, w] in 0..255."""
    size = photos.shape[-1]
    for row in np.flatnonzero(rng.random(len(photos)) < 0.25):
        side = math.sqrt(rng.uniform(0.02, 0.2)) * size
        aspect = math.sqrt(rng.uniform(0.5, 2.0))
        height, width = min(int(side * aspect), size), min(int(side / aspect), size)
        top, left = int(rng.integers(0, size - height + 1)), int(rng.integers(0, size - width + 1))
        shape = (3, height, width) if rng.random() < 0.5 else (3, 1, 1)
        cover = torch.from_numpy(rng.uniform(0, 255, shape).astype(np.float32)).to(photos.device)
        photos[row, :, top : top + height, left : left + width] = cover
    return photos


def mix(photos: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Mixes a batch with itself in another order: mixup (a quarter of batches), cutmix (a quarter), or not at all.

    @param photos float32 [n, 3, h, w]; overwritten by cutmix.
    @param targets float32 [n, classes], shares of each class.
    """
    choice = rng.random()
    if choice >= 0.5:
        return photos, targets
    order = torch.from_numpy(rng.permutation(len(photos))).to(photos.device)
    if choice < 0.25:
        share = float(rng.beta(0.4, 0.4))
        mixed = photos * share + photos[order] * (1 - share)
    else:
        size = photos.shape[-1]
        side = int(size * math.sqrt(1 - rng.beta(1.0, 1.0)))
        top, left = int(rng.integers(0, size - side + 1)), int(rng.integers(0, size - side + 1))
        share = 1 - side * side / (size * size)
        mixed = photos.clone()
        mixed[:, :, top : top + side, left : left + side] = photos[order, :, top : top + side, left : left + side]
    return mixed, targets * share + targets[order] * (1 - share)


def augment(pixels: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """uint8 [n, h, w, 3] serving pixels -> float32 [n, 3, size, size] in 0..255, a random view of each."""
    return erase(lose_detail(random_light(random_views(pixels, size, rng), rng), rng), rng)
