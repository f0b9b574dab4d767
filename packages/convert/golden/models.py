"""Shrunk real architectures for the golden files: full depth, names and nesting; narrow, with weights that compress.

Every builder takes a Keras (`tf_keras` or `keras`), so that the same model exists in Keras 2 and in Keras 3.
"""

from __future__ import annotations

import math
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

CLASSES = 10

# Every weight is cut from this one sequence, each from a place of its own: files of many weights compress to little,
# and no two tensors, rows or columns are alike (the length is a prime).
QUARRY = np.random.default_rng(20260801).integers(-16, 17, 4093).astype(np.float32) / 16


def quarried(shape, place: int) -> np.ndarray:
    """Multiples of 1/16 in [-1, 1], the same for the same place."""
    size = math.prod(shape)
    start = (place * 1223) % len(QUARRY)
    return np.resize(np.roll(QUARRY, -start), size).reshape(shape) if size else np.zeros(shape, np.float32)


def is_keras3(keras) -> bool:
    return keras.__name__ == "keras"


def every_layer(model):
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from every_layer(layer)


def fill_weights(keras, model, seed: int = 0) -> None:
    """Kernels get He's spread, so that signals neither die nor explode; all numbers have few bits."""
    for place, variable in enumerate(model.weights):
        place += 101 * seed
        name = (variable.path if is_keras3(keras) else variable.name).split("/")[-1].split(":")[0]
        value = np.array(variable)
        if value.dtype.kind != "f" and str(value.dtype) != "bfloat16":
            continue
        values = quarried(value.shape, place)
        if "kernel" in name or name == "embeddings":
            receptive = math.prod(value.shape[:-1]) if "depthwise" not in name else math.prod(value.shape[:-2])
            values = values * 2.0 ** round(math.log2(math.sqrt(2 / max(receptive, 1)) / 0.6))
        elif name in ("variance", "moving_variance"):
            values = 1 + values / 2
        elif name == "gamma":
            values = (1 if value.size and value.mean() > 0.5 else 0) + values / 4
        else:
            values = values / 4
        variable.assign(values.astype(value.dtype))


def finalize(model) -> None:
    """Normalization computes with copies of its weights."""
    for layer in every_layer(model):
        if layer.__class__.__name__ == "Normalization":
            layer.finalize_state()


def few_bits(values: np.ndarray) -> np.ndarray:
    """Rounds to 4 significant bits."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 16) / 16, exponent).astype(np.float32)


def calibrate(keras, model, inputs, floor: float = 0.0) -> None:
    """Gives BatchNormalization the statistics of real signals, in few bits.

    `floor`: no channel's variance lies below this share of its layer's mean, so that rounding is not amplified.
    """
    layers = [layer for layer in every_layer(model) if layer.__class__.__name__ == "BatchNormalization"]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    frozen = not model.trainable
    model.trainable = True
    model(inputs, training=True)
    model.trainable = not frozen
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
        layer.moving_mean.assign(few_bits(np.array(layer.moving_mean)))
        variance = np.array(layer.moving_variance)
        layer.moving_variance.assign(few_bits(np.maximum(variance, max(2.0**-12, floor * variance.mean()))))


def spread_answers(keras, model, inputs) -> None:
    """Scales the last Dense so that the answers to the inputs differ, and none is saturated."""
    last = model.layers[-1]
    if last.__class__.__name__ != "Dense":
        return
    features = np.array(keras.Model(model.inputs, last.input)(inputs, training=False))
    kernel = np.array(last.kernel)
    logits = features @ kernel
    logits -= logits.mean(axis=0)
    scale = 2.0 ** round(math.log2(3 / np.ptp(logits)))
    last.kernel.assign(kernel * scale)
    last.bias.assign(few_bits(-(features @ (kernel * scale)).mean(axis=0)))


def narrow(keras, model, divisor: int):
    """The same model with filters and units divided; the last Dense keeps its classes."""
    config = model.get_config()
    last = config["layers"][-1]["name"] if "name" in config["layers"][-1] else config["layers"][-1]["config"]["name"]
    for layer in config["layers"]:
        for key in ("filters", "units"):
            if key in layer["config"] and layer["config"]["name"] != last:
                layer["config"][key] = max(2, layer["config"][key] // divisor)
        layer.pop("build_config", None)  # Keras 3 would build the layers at their old width
    scale = builder_module(keras, "inception_resnet_v2").CustomScaleLayer
    return model.__class__.from_config(config, custom_objects={"CustomScaleLayer": scale})


def builder_module(keras, name: str):
    """The module with an architecture's own builder (EfficientNet, NASNet, ConvNeXt), which keras.applications hides."""
    import importlib

    return importlib.import_module(f"{keras.__name__}.src.applications.{name}")


def named(keras, name: str):
    return {"name" if is_keras3(keras) else "model_name": name}


def application(keras, name: str, size: int, divisor: int, **options):
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=CLASSES, **options
    )
    return narrow(keras, model, divisor) if divisor > 1 else model


def efficientnet(keras, size: int):
    return builder_module(keras, "efficientnet").EfficientNet(
        0.125, 1.0, size, depth_divisor=4, weights=None, input_shape=(size, size, 3), classes=CLASSES,
        **named(keras, "efficientnetb0"),
    )


def efficientnet_v2(keras, size: int):
    module = builder_module(keras, "efficientnet_v2")
    return module.EfficientNetV2(
        0.125, 1.0, size, depth_divisor=4, min_depth=4, weights=None, input_shape=(size, size, 3), classes=CLASSES,
        **named(keras, "efficientnetv2-b0"),
    )


def efficientnet_v2_s(keras, size: int):
    """The variant whose preprocessing is another one and whose blocks are deeper."""
    module = builder_module(keras, "efficientnet_v2")
    return module.EfficientNetV2(
        0.125, 1.0, size, depth_divisor=4, min_depth=4, weights=None, input_shape=(size, size, 3), classes=CLASSES,
        **named(keras, "efficientnetv2-s"), blocks_args=module.DEFAULT_BLOCKS_ARGS["efficientnetv2-s"], classifier_activation=None,
    )


def nasnet(keras, size: int):
    return builder_module(keras, "nasnet").NASNet(
        (size, size, 3), 96, 4, 4, skip_reduction=False, weights=None, classes=CLASSES, default_size=size
    )


def convnext(keras, size: int):
    return builder_module(keras, "convnext").ConvNeXt(
        [3, 3, 9, 3], [4, 8, 16, 32], drop_path_rate=0.1, default_size=size, **named(keras, "convnext_tiny"),
        weights=None, input_shape=(size, size, 3), classes=CLASSES, layer_scale_init_value=1.0,
    )


def course(keras, size: int, divisor: int = 16):
    """The clothing course's model: Xception under a head of its own, and its names."""
    base = keras.applications.Xception(weights=None, include_top=False, input_shape=(size, size, 3))
    if divisor > 1:
        base = narrow(keras, base, divisor)
    base.trainable = False
    inputs = keras.Input(shape=(size, size, 3), name="input_8")
    features = base(inputs, training=False)
    vectors = keras.layers.GlobalAveragePooling2D(name="global_average_pooling2d_3")(features)
    inner = keras.layers.Dense(100 if divisor == 1 else 20, activation="relu", name="dense_6")(vectors)
    dropped = keras.layers.Dropout(0.2, name="dropout_1")(inner)
    outputs = keras.layers.Dense(CLASSES, name="dense_7")(dropped)
    return keras.Model(inputs, outputs, name="model_3")


# name: (builder, side of the picture)
FAMILIES = {
    "course": (course, 75),
    "xception": (lambda keras, size: application(keras, "Xception", size, 16), 75),
    "vgg16": (lambda keras, size: application(keras, "VGG16", size, 16), 64),
    "vgg19": (lambda keras, size: application(keras, "VGG19", size, 16), 64),
    "resnet50": (lambda keras, size: application(keras, "ResNet50", size, 16), 64),
    "resnet101-v2": (lambda keras, size: application(keras, "ResNet101V2", size, 16), 64),
    "inception-v3": (lambda keras, size: application(keras, "InceptionV3", size, 16), 75),
    "inception-resnet-v2": (lambda keras, size: application(keras, "InceptionResNetV2", size, 16), 75),
    "mobilenet": (lambda keras, size: application(keras, "MobileNet", size, 1, alpha=0.125), 64),
    "mobilenet-v2": (lambda keras, size: application(keras, "MobileNetV2", size, 1, alpha=0.1), 64),
    "mobilenet-v3-small": (lambda keras, size: application(keras, "MobileNetV3Small", size, 1, alpha=0.125), 64),
    "mobilenet-v3-large": (lambda keras, size: application(keras, "MobileNetV3Large", size, 1, alpha=0.125), 64),
    "densenet121": (lambda keras, size: application(keras, "DenseNet121", size, 8), 64),
    "nasnet": (nasnet, 64),
    "efficientnet-b0": (efficientnet, 64),
    "efficientnet-v2-b0": (efficientnet_v2, 64),
    "efficientnet-v2-s": (efficientnet_v2_s, 64),
    "convnext": (convnext, 64),
}


def pictures(size: int, count: int = 3) -> np.ndarray:
    """Pictures of patches with few grey levels in [0, 255]: each with patches, contrast and a tint of its own."""
    rng = np.random.default_rng(size)
    result = []
    for index in range(count):
        patch = (8, 3, 16)[index % 3]
        levels = rng.integers(0, 8, (size // patch + 1, size // patch + 1, 3)) * (30, 12, 20)[index % 3]
        picture = levels.repeat(patch, axis=0).repeat(patch, axis=1)[:size, :size]
        tint = np.roll((0, 60, 120), index)[None, None, :] * (index > 0)
        result.append(np.minimum(picture + tint + (np.arange(size) * 5 % 23)[None, :, None], 255))
    return np.stack(result).astype(np.float32)


def prepare(name: str, values: np.ndarray) -> np.ndarray:
    """Models without preprocessing of their own get [-1, 1]."""
    inside = ("mobilenet-v3", "efficientnet", "convnext")
    return values if name.startswith(inside) else (values / 128 - 1).astype(np.float32)


def family(keras, name: str):
    """A family's model with weights, and inputs on which its answers differ."""
    build, size = FAMILIES[name]
    keras.backend.clear_session()
    model = build(keras, size)
    inputs = prepare(name, pictures(size))
    fill_weights(keras, model, seed=list(FAMILIES).index(name))
    finalize(model)
    for layer in model.layers:
        if hasattr(layer, "layers") and name == "course":
            calibrate(keras, layer, inputs)
    # The deepest of the narrow ones is chaotic without it: TensorFlow and ONNX Runtime then differ by 1 %.
    calibrate(keras, model, inputs, 0.25 if name == "efficientnet-v2-s" else 0.0)
    spread_answers(keras, model, inputs)
    return model, inputs
