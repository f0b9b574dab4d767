"""Writes processors.json: what Hugging Face's own image processors and torchvision's own transforms make of pictures.

    python make_processor_goldens.py     with requirements-processors.txt installed
"""

import hashlib
import importlib
import json
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
import transformers
from PIL import Image
from torchvision import transforms as tv

HERE = Path(__file__).parent
PICTURES = ["jpeg-400x533.jpg", "jpeg-420.jpg", "png-palette.png", "png-rgb.png", "jpeg-7x5.jpg"]
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
PIXELS = {"do_rescale": False, "do_normalize": False}

# Class, its module, and the keys that its preprocessor_config.json says.
CASES = [
    ("ViT", "vit", {"size": {"height": 224, "width": 224}}),
    ("ViT", "vit", {"size": 224, "resample": 3, "do_normalize": False}),
    ("ViT", "vit", {"size": 61, "resample": 0, **PIXELS}),
    ("ViT", "vit", {"size": {"height": 90, "width": 70}, "resample": 3, **PIXELS}),
    ("ViT", "vit", {"size": 64, "resample": 1}),
    ("ViT", "vit", {"size": 64, "resample": 4, **PIXELS}),
    ("ViT", "vit", {"size": 64, "resample": 5, **PIXELS}),
    ("ViT", "vit", {"size": {"shortest_edge": 100, "longest_edge": 120}, "do_center_crop": True, "crop_size": 96}),
    ("ViT", "vit", {"size": {"shortest_edge": 33, "longest_edge": 900}, **PIXELS}),
    ("ViT", "vit", {"size": {"max_height": 100, "max_width": 57}, **PIXELS}),
    ("ViT", "vit", {"size": {"max_height": 100, "max_width": 57}, "do_pad": True, "pad_size": {"height": 120, "width": 80}}),
    ("ViT", "vit", {"size": {"shortest_edge": 50}, "do_center_crop": True, "crop_size": {"height": 81, "width": 60}, **PIXELS}),
    ("ViT", "vit", {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 700, "width": 111}, **PIXELS}),
    ("ViT", "vit", {"size": 64, "do_rescale": False, "image_mean": [120.5, 110.25, 100.1], "image_std": [60.2, 59.9, 61]}),
    ("CLIP", "clip", {}),
    ("CLIP", "clip", {"size": 100, "crop_size": 90}),
    ("Siglip", "siglip", {"size": {"height": 128, "width": 128}}),
    ("Bit", "bit", {"size": {"shortest_edge": 64}, "crop_size": 60}),
    ("DeiT", "deit", {}),
    ("Beit", "beit", {"size": 160, "do_center_crop": True, "crop_size": 144}),
    ("Pvt", "pvt", {}),
    ("Segformer", "segformer", {"size": {"height": 128, "width": 128}}),
    ("ConvNext", "convnext", {"size": {"shortest_edge": 224}, "crop_pct": 0.875}),
    ("ConvNext", "convnext", {"size": {"shortest_edge": 288}, "crop_pct": 0.95}),
    ("ConvNext", "convnext", {}),
    ("ConvNext", "convnext", {"size": 224}),
    ("Levit", "levit", {}),
    ("PoolFormer", "poolformer", {}),
    ("PoolFormer", "poolformer", {"size": {"height": 100, "width": 100}, "crop_pct": 0.95, "crop_size": 100}),
    ("Perceiver", "perceiver", {}),
    ("TextNet", "textnet", {"size": {"shortest_edge": 70}}),
    ("MobileNetV1", "mobilenet_v1", {}),
    ("MobileNetV2", "mobilenet_v2", {}),
    ("MobileViT", "mobilevit", {}),
    ("EfficientNet", "efficientnet", {"size": 128}),
    ("EfficientNet", "efficientnet", {"size": 128, "include_top": False, "resample": 0}),
    ("EfficientNet", "efficientnet", {"size": 128, "rescale_offset": True, "rescale_factor": 1 / 127.5}),
]  # fmt: skip


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def processor(name: str, module: str, is_tensor: bool, config: dict):
    infix = "" if is_tensor else "pil_"
    found = importlib.import_module(f"transformers.models.{module}.image_processing_{infix}{module}")
    return getattr(found, f"{name}ImageProcessor{'' if is_tensor else 'Pil'}")(**config)


def processor_goldens() -> list:
    rows = []
    for name, module, config in CASES:
        for is_tensor in (False, True):
            if is_tensor and config.get("resample") in (1, 4, 5):
                continue  # torchvision has no such filter for tensors
            said = {"image_processor_type": f"{name}ImageProcessor{'Fast' if is_tensor else ''}", **config}
            tensors = {}
            for picture in PICTURES:
                image = Image.open(HERE / "pictures" / picture).convert("RGB")
                try:
                    made = processor(name, module, is_tensor, config)(image, return_tensors="np")["pixel_values"][0]
                except (ValueError, RuntimeError, ZeroDivisionError, OverflowError) as error:
                    print("left out:", name, is_tensor, config, picture, str(error)[:90])
                    continue
                dtype = "DT_UINT8" if made.dtype == np.uint8 else "DT_FLOAT"
                assert made.dtype in (np.uint8, np.float32), made.dtype
                tensors[picture] = {"shape": [1, *made.shape], "sha256Start": digest(made)}
            rows.append({"preprocessor": {**said, "vitrine": {"layout": "NCHW"}}, "dtype": dtype, "tensors": tensors})
    return rows


IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def torchvision_goldens() -> list:
    """The presets of torchvision's weights, on Pillow pictures: Resize, CenterCrop, ToTensor, Normalize."""
    rows = []
    modes = {2: tv.InterpolationMode.BILINEAR, 3: tv.InterpolationMode.BICUBIC}
    for resize, crop, resample in [(256, 224, 2), (232, 224, 2), (236, 224, 3), (342, 299, 2), (255, 224, 3), (101, 60, 2), (40, 71, 3)]:
        steps = tv.Compose([
            tv.Resize(resize, modes[resample]), tv.CenterCrop(crop), tv.ToTensor(),
            tv.Normalize(IMAGENET["image_mean"], IMAGENET["image_std"]),
        ])  # fmt: skip
        tensors = {}
        for picture in PICTURES:
            made = steps(Image.open(HERE / "pictures" / picture).convert("RGB")).numpy()
            tensors[picture] = {"shape": [1, *made.shape], "sha256Start": digest(made)}
        config = {
            "size": {"shortest_edge": resize}, "do_center_crop": True, "crop_size": crop, "resample": resample, **IMAGENET,
            "vitrine": {"layout": "NCHW", "backend": "transforms"},
        }  # fmt: skip
        rows.append({"preprocessor": config, "dtype": "DT_FLOAT", "tensors": tensors})
    return rows


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    versions = {
        "pillow": Image.__version__, "torch": torch.__version__, "torchvision": torchvision.__version__,
        "transformers": transformers.__version__,
    }  # fmt: skip
    rows = processor_goldens() + torchvision_goldens()
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    (HERE / "processors.json").write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
    print(len(rows), "configurations,", sum(len(row["tensors"]) for row in rows), "tensors")
