"""Prints what an exported model answers for pictures: `python -m clothing_model.answers VERSION_FOLDER PICTURE…`.

Tests hold another implementation of the same pixels and the same model against it, where the validation photos
that `validation-predictions.json` speaks of are not at hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from .data import LABELS
from .evaluate import probabilities
from .pixels import read_serving_pixels
from .runtime import logits_of, session


def main() -> None:
    folder, *pictures = (Path(argument) for argument in sys.argv[1:])
    temperature = json.loads((folder / "config.json").read_text())["vitrine"]["temperature"]
    pixels = np.stack([read_serving_pixels(picture) for picture in pictures])
    chances = probabilities(logits_of(session((folder / "model.onnx").read_bytes()), pixels), temperature)
    answers = [
        {"path": picture.name, "top_class": LABELS[row.argmax()], "top_probability": round(float(row.max()), 6)}
        for picture, row in zip(pictures, chances)
    ]
    print(json.dumps({"version": int(folder.name), "predictions": answers}, indent=2))


if __name__ == "__main__":
    main()
