"""HDF5 files as older versions wrote them, made from files of tf_keras by editing what differs; answers are tf_keras'."""

from __future__ import annotations

import json

import h5py
import numpy as np

import models


def trained(keras):
    """Compiled and fitted: the file holds the optimizer's weights, and dtype, decay and clipping of its configuration."""
    layers = keras.layers
    model = keras.Sequential([
        layers.Conv2D(4, 3, activation="relu", input_shape=(8, 8, 3), name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Flatten(name="flatten"),
        layers.Dense(3, activation="softmax", name="dense"),
    ], name="trained")
    model.compile(keras.optimizers.AdamW(weight_decay=0.004), "categorical_crossentropy")
    x = np.random.default_rng(1).normal(size=(8, 8, 8, 3)).astype(np.float32)
    model.fit(x, np.eye(3, dtype=np.float32)[np.arange(8) % 3], verbose=0)
    models.fill_weights(keras, model, seed=3)
    return model


def repacked(keras):
    """A model whose file is rewritten by {@link repack}."""
    layers = keras.layers
    x = keras.Input((8, 8, 3), name="x")
    y = x
    for place in range(12):
        y = layers.SeparableConv2D(4, 3, padding="same", name=f"separable_{place}")(y)
        y = layers.BatchNormalization(name=f"norm_{place}")(y)
    inner = keras.Model(x, y, name="inner")
    picture = keras.Input((8, 8, 3), name="picture")
    y = layers.GlobalAveragePooling2D(name="pool")(inner(picture))
    model = keras.Model(picture, layers.Dense(3, name="logits")(y), name="repacked")
    models.fill_weights(keras, model, seed=4)
    return model


def repack(source: str, target: str) -> None:
    """Names in pieces (`weight_names0` ...), compressed arrays, texts of fixed length, a user's block before the file."""
    with h5py.File(source) as old, h5py.File(target, "w", userblock_size=512) as new:
        new.attrs["keras_version"] = np.bytes_("2.2.4")
        new.attrs["backend"] = np.bytes_("tensorflow")
        # Texts of more than 64 KB do not fit into a fixed-length attribute; this one is shorter.
        new.attrs["model_config"] = np.bytes_(old.attrs["model_config"])

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                new.create_dataset(name, data=item[()], chunks=item.shape or None, compression="gzip" if item.shape else None,
                                   shuffle=bool(item.shape) or None)
                return
            group = new.require_group(name)
            for key, value in item.attrs.items():
                if key not in ("weight_names", "layer_names"):
                    continue
                names = [np.bytes_(text) for text in value]
                if len(names) < 8:
                    group.attrs[key] = names
                else:
                    for piece in range(4):
                        group.attrs[f"{key}{piece}"] = names[piece * len(names) // 4 : (piece + 1) * len(names) // 4]

        old.visititems(copy)


def keras_1_twin(keras):
    """What {@link write_keras_1} writes down in the words of Keras 1.2."""
    layers = keras.layers
    x = keras.Input((9, 9, 3), name="input_1")
    a = layers.Conv2D(4, (3, 2), strides=2, padding="same", activation="relu", name="convolution2d_1")(x)
    a = layers.BatchNormalization(epsilon=1e-3, name="batchnormalization_1")(a)
    b = layers.Conv2D(4, 1, strides=2, use_bias=False, name="convolution2d_2")(x)
    y = layers.Add(name="merge_1")([a, b])
    y = layers.Concatenate(name="merge_2")([y, a])
    y = layers.MaxPooling2D(2, padding="same", name="maxpooling2d_1")(y)
    y = layers.ZeroPadding2D(1, name="zeropadding2d_1")(y)
    y = layers.Flatten(name="flatten_1")(y)
    y = layers.Dense(6, activation="hard_sigmoid", name="dense_1")(y)
    y = layers.Dropout(0.5, name="dropout_1")(y)
    model = keras.Model(x, layers.Dense(3, activation="softmax", name="dense_2")(y), name="model_1")
    models.fill_weights(keras, model, seed=5)
    return model


def write_keras_1(model, target: str) -> None:
    """Keras 1.2.2's configuration and names of weights, with "tf" ordering."""
    def node(*names):
        return [[[name, 0, 0] for name in names]]

    def layer(name, class_name, inbound, **config):
        return {"class_name": class_name, "name": name, "inbound_nodes": inbound, "config": {"name": name, "trainable": True, **config}}

    convolution = {"dim_ordering": "tf", "activation": "linear", "bias": True, "W_regularizer": None, "b_constraint": None}
    layers = [
        layer("input_1", "InputLayer", [], batch_input_shape=[None, 9, 9, 3], input_dtype="float32", sparse=False),
        layer("convolution2d_1", "Convolution2D", node("input_1"), **{**convolution, "activation": "relu"}, nb_filter=4, nb_row=3,
              nb_col=2, border_mode="same", subsample=[2, 2]),
        layer("batchnormalization_1", "BatchNormalization", node("convolution2d_1"), mode=0, axis=-1, epsilon=0.001, momentum=0.99),
        layer("convolution2d_2", "Convolution2D", node("input_1"), **{**convolution, "bias": False}, nb_filter=4, nb_row=1,
              nb_col=1, border_mode="valid", subsample=[2, 2]),
        layer("merge_1", "Merge", node("batchnormalization_1", "convolution2d_2"), mode="sum", mode_type="raw", concat_axis=-1,
              dot_axes=-1, output_shape=None, arguments={}),
        layer("merge_2", "Merge", node("merge_1", "batchnormalization_1"), mode="concat", mode_type="raw", concat_axis=3,
              dot_axes=-1, output_shape=None, arguments={}),
        layer("maxpooling2d_1", "MaxPooling2D", node("merge_2"), pool_size=[2, 2], strides=[2, 2], border_mode="same", dim_ordering="tf"),
        layer("zeropadding2d_1", "ZeroPadding2D", node("maxpooling2d_1"), padding=[1, 1], dim_ordering="tf"),
        layer("flatten_1", "Flatten", node("zeropadding2d_1")),
        layer("dense_1", "Dense", node("flatten_1"), output_dim=6, init="glorot_uniform", activation="hard_sigmoid", bias=True, input_dim=None),
        layer("dropout_1", "Dropout", node("dense_1"), p=0.5),
        layer("dense_2", "Dense", node("dropout_1"), output_dim=3, init="glorot_uniform", activation="softmax", bias=True, input_dim=None),
    ]
    config = {"class_name": "Model", "keras_version": "1.2.2", "config": {
        "name": "model_1", "layers": layers, "input_layers": [["input_1", 0, 0]], "output_layers": [["dense_2", 0, 0]]}}
    words = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}
    with h5py.File(target, "w") as file:
        file.attrs["keras_version"] = b"1.2.2"
        file.attrs["model_config"] = json.dumps(config).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [layer["name"].encode() for layer in layers]
        for entry in layers:
            group = weights.create_group(entry["name"])
            named = []
            for variable in model.get_layer(entry["name"]).weights:
                kind = variable.name.split("/")[-1].split(":")[0]
                name = f"{entry['name']}_{words.get(kind, kind)}"
                group.create_dataset(name, data=variable.numpy())
                named.append(name.encode())
            group.attrs["weight_names"] = named
