"""Writes tensorflow.json: what tf.image.resize, Keras' load_img and its image_dataset_from_directory make of pictures.

    python make_tensorflow_goldens.py     with requirements-tensorflow.txt installed
"""

import hashlib
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

HERE = Path(__file__).parent
METHODS = ["bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"]
# Kinds that TensorFlow decodes as Pillow does; its JPEGs are another matter (docs/decisions/pixels.md).
PICTURES = ["png-rgb.png", "png-interlaced.png", "gif.gif", "bmp-24-bit.bmp"]


def formula_picture(width: int, height: int) -> np.ndarray:
    """value(x, y, c) = (7xx + 13y + 3xy + 101c + 5(x xor y)) mod 256: the same integers in any language."""
    y, x, c = np.ogrid[0:height, 0:width, 0:3]
    return ((7 * x * x + 13 * y + 3 * x * y + 101 * c + 5 * (x ^ y)) % 256).astype(np.uint8)


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:12]


def edge(draw: random.Random) -> int:
    return draw.choice([draw.randint(1, 16), draw.randint(1, 128), draw.randint(100, 600), draw.randint(1, 3000)])


def size(draw: random.Random, most: int) -> tuple[int, int]:
    while True:
        width, height = edge(draw), edge(draw)
        if width * height <= most:
            return width, height


def resizes() -> list:
    draw = random.Random(21)
    pairs = [((400, 533), (224, 224)), ((3, 2), (224, 299)), ((97, 63), (97, 63)), ((1, 1), (5, 7)), ((3000, 9), (64, 4))]
    pairs += [(size(draw, 120_000), size(draw, 20_000)) for _ in range(25)]
    rows = []
    for source, target in pairs:
        picture = formula_picture(*source)
        for method in METHODS:
            for antialias in (False, True):
                made = tf.image.resize(picture, target[::-1], method=method, antialias=antialias)
                rows.append([*source, *target, method, antialias, digest(made.numpy().astype(np.float32))])
    return rows


def jpegs() -> dict:
    """decode_image without dct_method, which is the fast one."""
    names = ["jpeg-420.jpg", "jpeg-422.jpg", "jpeg-444.jpg", "jpeg-gray.jpg", "jpeg-quality-30.jpg", "jpeg-quality-100.jpg", "jpeg-400x533.jpg", "jpeg-restart-3-blocks.jpg", "jpeg-7x5.jpg", "jpeg-optimized.jpg", "jpeg-restart-rows.jpg", "jpeg-trailing-bytes.jpg", "jpeg-12-megapixels.jpg", "jpeg-progressive-420.jpg", "jpeg-progressive-444.jpg", "jpeg-progressive-gray.jpg"]
    read = lambda name: tf.io.decode_image((HERE / "pictures" / name).read_bytes(), channels=3, expand_animations=False)
    return {name: digest(read(name).numpy()) for name in names}


def datasets() -> list:
    """What training reads: files in class folders, through image_dataset_from_directory."""
    rows = []
    for options in [
        {}, {"interpolation": "bicubic"}, {"interpolation": "area"}, {"interpolation": "nearest"},
        {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True},
        {"crop_to_aspect_ratio": True, "interpolation": "lanczos3"}, {"pad_to_aspect_ratio": True, "interpolation": "bicubic"},
    ]:  # fmt: skip
        for target in [(64, 64), (31, 90), (100, 37)]:
            for name in PICTURES:
                folder = Path(tempfile.mkdtemp())
                (folder / "a").mkdir()
                shutil.copy(HERE / "pictures" / name, folder / "a" / name)
                data = keras.utils.image_dataset_from_directory(
                    folder, labels=None, image_size=target, batch_size=1, shuffle=False, verbose=False, **options
                )
                made = next(iter(data)).numpy()
                shutil.rmtree(folder)
                aspect = "crop" if "crop_to_aspect_ratio" in options else "pad" if "pad_to_aspect_ratio" in options else "stretch"
                resize = {"library": "tensorflow", "method": options.get("interpolation", "bilinear"), "aspect": aspect}
                rows.append({
                    "picture": name, "size": {"height": target[0], "width": target[1]}, "resize": resize,
                    "sha256Start": digest(made.astype(np.float32)),
                })  # fmt: skip
    for method in ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]:
        for keep in (False, True):
            for target in [(64, 64), (31, 90)]:
                for name in ["jpeg-400x533.jpg", "png-palette.png"]:
                    made = keras.utils.img_to_array(keras.utils.load_img(
                        HERE / "pictures" / name, target_size=target, interpolation=method, keep_aspect_ratio=keep
                    ))  # fmt: skip
                    resize = {"library": "pillow", "method": method, "aspect": "crop" if keep else "stretch"}
                    rows.append({
                        "picture": name, "size": {"height": target[0], "width": target[1]}, "resize": resize,
                        "sha256Start": digest(made.astype(np.float32)),
                    })  # fmt: skip
    return rows


if __name__ == "__main__":
    versions = {"keras": keras.__version__, "pillow": Image.__version__, "tensorflow": tf.__version__}
    parts = {name: ",\n".join("  " + json.dumps(row) for row in rows) for name, rows in
             {"resizes": resizes(), "datasets": datasets()}.items()}  # fmt: skip
    body = ", ".join(f'"{name}": [\n{lines}\n]' for name, lines in parts.items())
    head = f'"versions": {json.dumps(versions)}, "jpegs": {json.dumps(jpegs())}'
    (HERE / "tensorflow.json").write_text(f"{{{head}, {body}}}\n")
    print({name: lines.count("\n") + 1 for name, lines in parts.items()})
