"""Photos on disk -> one array of serving pixels per split, with a digest that says which photos they were."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .pixels import PICTURE_SIZE, read_serving_pixels

LABELS = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")
"""Label order of every output of the model; also the names of the photo folders."""


PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class Split:
    """Photos of one split, in the order of their sorted relative paths."""

    paths: list[str]
    """POSIX paths relative to the photo folder, e.g. `train/dress/0001.jpg`."""
    pixels: np.ndarray
    """uint8 [n, PICTURE_SIZE, PICTURE_SIZE, 3], memory-mapped read-only."""
    labels: np.ndarray
    """int64 [n], indices into LABELS."""


def photo_paths(photos: Path, split: str) -> list[str]:
    """Lists the JPEGs and PNGs of `<split>/<label>/` below `photos`, sorted.

    Raises FileNotFoundError when a label has none.
    """
    found = []
    for label in LABELS:
        of_label = sorted(
            path.relative_to(photos).as_posix()
            for path in (photos / split / label).glob("*")
            if path.suffix.lower() in PHOTO_SUFFIXES
        )
        if not of_label:
            raise FileNotFoundError(f"{photos / split / label} has no photo, expected those of one label there")
        found += of_label
    return found


def photo_digest(photos: Path) -> str:
    """Digest of both splits: SHA-256 over the lines `<relative path> <SHA-256 of the file>`, sorted by path."""
    digest = hashlib.sha256()
    for path in sorted(photo_paths(photos, "train") + photo_paths(photos, "validation")):
        digest.update(f"{path} {hashlib.sha256((photos / path).read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def load_split(photos: Path, split: str, store: Path) -> Split:
    """Returns the split's serving pixels, decoded once and kept as `<store>/<split>-<size>.npy`.

    The file is written under another name and renamed, so that an interrupted run leaves no half store.
    """
    paths = photo_paths(photos, split)
    labels = np.array([LABELS.index(path.split("/")[1]) for path in paths], dtype=np.int64)
    names = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:12]
    file = store / f"{split}-{PICTURE_SIZE}-{names}.npy"
    if not file.exists():
        store.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished.npy")
        shape = (len(paths), PICTURE_SIZE, PICTURE_SIZE, 3)
        pixels = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        for row, path in enumerate(paths):
            pixels[row] = read_serving_pixels(photos / path)
        pixels.flush()
        unfinished.rename(file)
    return Split(paths=paths, pixels=np.load(file, mmap_mode="r"), labels=labels)
