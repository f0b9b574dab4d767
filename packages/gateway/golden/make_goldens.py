"""Writes the JSON files of this folder: what Pillow, Keras and Transformers make of each picture.

    python make_goldens.py [PHOTOS]     PHOTOS holds train/ and validation/; without it photos.json is left as it is
"""

import ast
import base64
import hashlib
import importlib.util
import io
import json
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, ImageCms, ImageOps
from transformers import image_transforms
from transformers.image_utils import ChannelDimension

HERE = Path(__file__).parent
FIRST, LAST = ChannelDimension.FIRST, ChannelDimension.LAST
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
PIXELS_ONLY = {"do_rescale": False, "do_normalize": False}


def square(size: int) -> dict:
    return {"height": size, "width": size}


def keras(preset: str, size: int, resample: int, **more) -> dict:
    return {"size": square(size), "resample": resample, "vitrine": {"preset": preset, **more}}


# Each: the preprocessor_config.json, and the dtype and shape of the model's input.
PLANS = {
    "uint8-squash-256-bilinear": ({"size": square(256), "resample": 2, **PIXELS_ONLY}, "DT_UINT8", [-1, 256, 256, 3]),
    "uint8-upright-64-bilinear": (
        {"size": square(64), "resample": 2, **PIXELS_ONLY, "vitrine": {"orientation": "exif"}},
        "DT_UINT8",
        [-1, 64, 64, 3],
    ),
    "uint8-nearest-40x24": ({"size": {"height": 24, "width": 40}, "resample": 0, **PIXELS_ONLY}, "DT_UINT8", [1, 24, 40, 3]),
    "uint8-box-24-nchw": (
        {"size": 24, "resample": 4, **PIXELS_ONLY, "vitrine": {"layout": "NCHW"}},
        "DT_UINT8",
        [-1, 3, 24, 24],
    ),
    "keras-tf-299-nearest": (keras("tf", 299, 0), "DT_FLOAT", [-1, 299, 299, 3]),
    "keras-torch-64-nearest": (keras("torch", 64, 0), "DT_FLOAT", [-1, 64, 64, 3]),
    "keras-caffe-64-bilinear": (keras("caffe", 64, 2), "DT_FLOAT", [-1, 64, 64, 3]),
    "keras-caffe-32-bicubic-nchw": (keras("caffe", 32, 3, layout="NCHW"), "DT_FLOAT", [-1, 3, 32, 32]),
    "hf-resnet-64-bicubic-nchw": (
        {"size": square(64), "resample": 3, "rescale_factor": 1 / 255, **IMAGENET, "vitrine": {"layout": "NCHW"}},
        "DT_FLOAT",
        [-1, 3, 64, 64],
    ),
    "hf-shortest-256-crop-224-bilinear-nchw": (
        {
            "size": {"shortest_edge": 256},
            "resample": 2,
            "do_center_crop": True,
            "crop_size": square(224),
            **IMAGENET,
            "vitrine": {"layout": "NCHW"},
        },
        "DT_FLOAT",
        [-1, 3, 224, 224],
    ),
    "hf-crop-with-padding-nhwc": (
        {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 75, "width": 90}, "image_mean": 0.5, "image_std": 0.5},
        "DT_FLOAT",
        [-1, 75, 90, 3],
    ),
    "hf-rescale-only-lanczos": ({"size": square(32), "resample": 1, "do_normalize": False}, "DT_FLOAT", [-1, 32, 32, 3]),
    "hf-normalize-only-hamming": (
        {"size": square(32), "resample": 5, "do_rescale": False, "image_mean": [120.5, 110.25, 100.1], "image_std": [60.2, 59.9, 61]},
        "DT_FLOAT",
        [-1, 32, 32, 3],
    ),
    "hf-pixels-as-floats": ({"size": square(16), "resample": 2, **PIXELS_ONLY}, "DT_FLOAT", [-1, 16, 16, 3]),
}


def keras_preprocess_numpy_input():
    """Keras' own function, without Keras' import: that needs a backend."""
    folder = Path(importlib.util.find_spec("keras").origin).parent
    source = ast.parse((folder / "src/applications/imagenet_utils.py").read_text())
    body = [node for node in source.body if getattr(node, "name", "") == "_preprocess_numpy_input"]
    scope = {"np": np, "backend": types.SimpleNamespace(floatx=lambda: "float32")}
    exec(compile(ast.Module(body, []), "imagenet_utils", "exec"), scope)
    return scope["_preprocess_numpy_input"]


preprocess_numpy_input = keras_preprocess_numpy_input()


def open_rgb(path: Path, orientation: str = "ignore") -> Image.Image:
    image = Image.open(path)
    if orientation == "exif":
        image = ImageOps.exif_transpose(image)
    return image.convert("RGB")


def tensor(path: Path, config: dict, dtype: str) -> np.ndarray:
    extra = config.get("vitrine", {})
    image = open_rgb(path, extra.get("orientation", "ignore"))
    size = config.get("size")
    if isinstance(size, int):
        size = square(size)
    if config.get("do_resize", True):
        if "shortest_edge" in size:
            height, width = image_transforms.get_resize_output_image_size(
                np.asarray(image), size["shortest_edge"], default_to_square=False, input_data_format=LAST
            )
        else:
            height, width = size["height"], size["width"]
        image = image.resize((width, height), Image.Resampling(config.get("resample", 2)))
    pixels = np.array(image)
    if config.get("do_center_crop", False):
        crop = config["crop_size"]
        pixels = image_transforms.center_crop(pixels, (crop["height"], crop["width"]), input_data_format=LAST)
    layout = extra.get("layout", "NHWC")
    if "preset" in extra:
        channels = "channels_last" if layout == "NHWC" else "channels_first"
        if layout == "NCHW":
            pixels = pixels.transpose(2, 0, 1)
        return preprocess_numpy_input(pixels[None].astype(np.float32), channels, extra["preset"])
    if config.get("do_rescale", True):
        pixels = image_transforms.rescale(pixels, config.get("rescale_factor", 1 / 255), input_data_format=LAST)
    if config.get("do_normalize", True):
        pixels = image_transforms.normalize(pixels, config["image_mean"], config["image_std"], input_data_format=LAST)
    if layout == "NCHW":
        pixels = image_transforms.to_channel_dimension_format(pixels, FIRST, LAST)
    return pixels[None].astype(np.uint8 if dtype == "DT_UINT8" else np.float32)


def sha256(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def picture_goldens() -> tuple[dict, list]:
    pictures, raw = {}, []
    for path in sorted((HERE / "pictures").iterdir()):
        if path.name.startswith(("broken-", "bomb-", "refused")) or path.suffix == ".avif":
            continue
        image = Image.open(path)
        golden = {
            "format": image.format.lower(),
            "mode": image.mode,
            "width": image.width,
            "height": image.height,
            "rgb": sha256(np.asarray(image.convert("RGB"))),
            "tensors": {},
        }
        for name, (config, dtype, shape) in PLANS.items():
            # What Pillow refuses, a corrupt EXIF block, we read as "not turned"; there is nothing to compare.
            try:
                values = tensor(path, config, dtype)
            except SyntaxError:
                continue
            if path.name == "jpeg-12-megapixels.jpg" and "crop-with-padding" in name:
                continue
            expected = [1, *shape[1:]]
            assert list(values.shape) == expected, (path.name, name, values.shape)
            golden["tensors"][name] = sha256(values)
            if path.name in ("jpeg-420.jpg", "exif-7.jpg", "jpeg-cmyk-adobe.jpg") and values.nbytes < 16000:
                data = base64.b64encode(values.tobytes()).decode()
                raw.append({"picture": path.name, "plan": name, "dtype": dtype, "shape": expected, "base64": data})
        pictures[path.name] = golden
    return pictures, raw


def tolerance_goldens() -> dict:
    """What is only near to Pillow's here: AVIF, and colours converted by a profile."""
    srgb = ImageCms.createProfile("sRGB")
    avif, icc = {}, {}
    for path in sorted((HERE / "pictures").glob("avif-*")):
        image = Image.open(path)
        if image.width * image.height < 7000:
            avif[path.name] = {"orientation": image.getexif().get(274, 1), **rgb(image.convert("RGB"))}
    for name in ["jpeg-icc-display-p3.jpg", "png-icc.png", "webp-icc.webp", "tiff-icc.tiff", "png-rgb.png"]:
        image = Image.open(HERE / "pictures" / name)
        profile = image.info.get("icc_profile")
        converted = image.convert("RGB")
        if profile is not None:
            converted = ImageCms.profileToProfile(converted, io.BytesIO(profile), srgb)
        icc[name] = rgb(converted)
    return {"avif": avif, "icc": icc}


REDUCED = [
    {"size": square(32), "resample": 2}, {"size": {"height": 24, "width": 40}, "resample": 3}, {"size": square(100), "resample": 1},
    {"size": {"height": 20, "width": 40}, "resample": 2, "vitrine": {"resize": {"aspect": "crop"}}},
    {"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": square(24), "resample": 2},
    {"size": square(31), "resample": 0}, {"size": square(16), "resample": 2, "vitrine": {"orientation": "exif"}},
]  # fmt: skip


def reduced_goldens() -> list:
    """Image.draft, then a resize of what was the whole picture."""
    rows = []
    for name in ["jpeg-12-megapixels.jpg", "jpeg-400x533.jpg", "jpeg-420.jpg", "jpeg-444.jpg", "jpeg-gray.jpg", "exif-6.jpg", "jpeg-422.jpg"]:
        for config in REDUCED:
            extra = config.get("vitrine", {})
            image = Image.open(HERE / "pictures" / name)
            is_lying = extra.get("orientation") == "exif" and image.getexif().get(274, 1) >= 5
            width, height = image.size[::-1] if is_lying else image.size
            size = config["size"]
            if "shortest_edge" in size:
                target = image_transforms.get_resize_output_image_size(
                    np.zeros((height, width, 3)), size["shortest_edge"], default_to_square=False, input_data_format=LAST
                )[::-1]
            else:
                target = (size["width"], size["height"])
            box = (0, 0, width, height)
            if extra.get("resize") == {"aspect": "crop"}:
                kept = min(width, height * target[0] // target[1]), min(height, width * target[1] // target[0])
                left, top = (width - kept[0]) // 2, (height - kept[1]) // 2
                box = (left, top, left + kept[0], top + kept[1])
            scale = 1
            if name != "jpeg-422.jpg":
                whole = image.size
                image.draft(None, target[::-1] if is_lying else target)
                scale = next(s for s in (1, 2, 4, 8) if -(-whole[0] // s) == image.size[0])
            image = ImageOps.exif_transpose(image) if extra.get("orientation") == "exif" else image
            image = image.convert("RGB").resize(target, config["resample"], box=tuple(edge / scale for edge in box))
            pixels = np.asarray(image)
            if "crop_size" in config:
                crop = config["crop_size"]
                pixels = image_transforms.center_crop(pixels, (crop["height"], crop["width"]), input_data_format=LAST)
            preprocessor = {**config, **PIXELS_ONLY, "vitrine": {**extra, "reduced_decode": True}}
            rows.append({"picture": name, "preprocessor": preprocessor, "scale": scale, "sha256": sha256(pixels)})
    return rows


def notebook_tensor() -> np.ndarray:
    """What a notebook would hand to np.save: the course's helper on a photo that lies on its side."""
    image = open_rgb(HERE / "pictures" / "exif-6.jpg").resize((32, 32), Image.Resampling.NEAREST)
    return preprocess_numpy_input(np.asarray(image, np.float32)[None], "channels_last", "tf")


def rgb(image: Image.Image) -> dict:
    return {"width": image.width, "height": image.height, "base64": base64.b64encode(image.tobytes()).decode()}


def photo_goldens(folder: Path) -> dict:
    photos = sorted(path for path in (folder / "validation").rglob("*") if path.is_file())
    return {
        path.relative_to(folder / "validation").as_posix(): sha256(
            np.asarray(open_rgb(path).resize((256, 256), Image.Resampling.BILINEAR))
        )
        for path in photos
    }


def write(name: str, value: object) -> None:
    (HERE / name).write_text(json.dumps(value, indent=1) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write("plans.json", {
        name: {"preprocessor": config, "dtype": dtype, "shape": shape} for name, (config, dtype, shape) in PLANS.items()
    })  # fmt: skip
    pictures, raw = picture_goldens()
    write("pictures.json", {"pillow": PIL.__version__, "pictures": pictures})
    write("tensors.json", raw)
    np.save(HERE / "notebook.npy", notebook_tensor())
    write("reduced.json", reduced_goldens())
    write("near.json", tolerance_goldens())
    if len(sys.argv) > 1:
        write("photos.json", photo_goldens(Path(sys.argv[1])))
