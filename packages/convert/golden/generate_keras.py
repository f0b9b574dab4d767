"""Writes golden/keras: each model of models.py and zoo.py in every format of its Keras, with inputs and real answers.

    python generate_keras.py [NAME ...]

One archive per model and Keras (`<name>.keras2.tar.br`, `<name>.keras3.tar.br`), see README.md.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import brotli
import keras as keras3
import numpy as np
import tensorflow as tf
import tf_keras as keras2

import models
import old_files
import zoo

HERE = Path(__file__).parent / "keras"

# A framework's own rounding of half floats is no golden: the same weights in float32 are.
IN_FLOAT32 = ("half-precision", "stored-in-halves")


def answers(model, inputs: dict[str, np.ndarray]):
    values = list(inputs.values())
    mapped = hasattr(model, "_inputs_struct") and isinstance(model._inputs_struct, dict) or isinstance(
        getattr(model, "_nested_inputs", None), dict
    )
    outputs = model(inputs if mapped else values if len(values) > 1 else values[0], training=False)
    if isinstance(outputs, dict):
        return {name: np.array(value) for name, value in outputs.items()}
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return {f"{place}": np.array(value) for place, value in enumerate(outputs)}


def in_float32(keras, model, name: str):
    """The same model and weights without half floats."""
    if name not in IN_FLOAT32:
        return model
    config = model.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float32"
    twin = keras.Model.from_config(config)
    twin.set_weights([np.array(weight).astype(np.float32) for weight in model.get_weights()])
    return twin


def signature(folder: Path):
    loaded = tf.saved_model.load(str(folder)).signatures["serving_default"]
    inputs = {name: spec.shape.as_list() for name, spec in loaded.structured_input_signature[1].items()}
    return {"inputs": inputs, "outputs": {name: t.shape.as_list() for name, t in loaded.structured_outputs.items()}}


def attempt(name: str, major: int, folder: Path, file: str, save) -> None:
    """What Keras itself cannot write has no golden."""
    try:
        save()
    except Exception as error:
        if (folder / file).is_file():
            (folder / file).unlink()
        print(f"{name} (Keras {major}) has no {file}: {str(error).strip().splitlines()[0][:200]}", file=sys.stderr, flush=True)


def write_case(keras, name: str, model, inputs: dict[str, np.ndarray], write=None) -> None:
    """@param write writes the formats into a folder, in place of what Keras does."""
    major = 3 if models.is_keras3(keras) else 2
    results = answers(in_float32(keras, model, name), inputs)
    for output, value in results.items():
        assert np.isfinite(value).all() and np.ptp(value) > 1e-3, f"{name}: output {output} says nothing"
        assert np.abs(value[0] - value[1]).max() > 1e-3 * np.ptp(value), f"{name}: output {output} ignores the input"
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(scratch)
        golden = {"keras": keras.__version__, "tensorflow": tf.__version__, "inputs": list(inputs), "outputs": list(results)}
        if write is not None:
            write(folder)
        for file in () if write is not None else ("model.h5", "model.keras"):
            attempt(name, major, folder, file, lambda file=file: model.save(folder / file))

        def save_for_serving():
            if major == 2:
                # Traces of every layer's own functions are eight times the serving function: one model shows them.
                model.save(folder / "saved-model", save_format="tf", include_optimizer=False, save_traces=name == "course")
            else:
                model.export(folder / "saved-model", verbose=False)
            golden["signature"] = signature(folder / "saved-model")

        if write is None:
            attempt(name, major, folder, "saved-model", save_for_serving)
        for place, value in enumerate(inputs.values()):
            np.save(folder / f"input-{place}.npy", value)
        for place, value in enumerate(results.values()):
            np.save(folder / f"output-{place}.npy", value.astype(np.float32))
        (folder / "golden.json").write_text(json.dumps(golden, indent=1))
        write_archive(folder, HERE / f"{name}.keras{major}.tar.br")


def write_archive(folder: Path, target: Path) -> None:
    """A tar without times and owners, files that are alike beside each other, through brotli."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in ("fingerprint.pb", "keras_metadata.pb")):
            entry = tarfile.TarInfo(str(file.relative_to(folder)))
            entry.size = file.stat().st_size
            tar.addfile(entry, file.open("rb"))
    raw = content.getvalue()
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(brotli.compress(raw, quality=11, lgwin=24))
    print(f"{target.name}: {len(raw):,} -> {target.stat().st_size:,} bytes", file=sys.__stdout__, flush=True)


def write_old_files(names: list[str]) -> None:
    def repack(folder: Path) -> None:
        repacked.save(folder / "plain.h5")
        old_files.repack(str(folder / "plain.h5"), str(folder / "model.h5"))
        (folder / "plain.h5").unlink()

    repacked = old_files.repacked(keras2)
    twin = old_files.keras_1_twin(keras2)
    trained = old_files.trained(keras2)
    cases = {
        "old-trained": (trained, lambda folder: trained.save(folder / "model.h5")),
        "old-repacked": (repacked, repack),
        "old-keras-1": (twin, lambda folder: old_files.write_keras_1(twin, str(folder / "model.h5"))),
    }
    for name, (model, write) in cases.items():
        if not names or name in names:
            write_case(keras2, name, model, zoo.zoo_inputs(model), write)


def main(names: list[str]) -> None:
    for keras, major in ((keras2, 2), (keras3, 3)):
        for name in models.FAMILIES:
            if not names or name in names:
                model, inputs = models.family(keras, name)
                write_case(keras, name, model, {model.input_names[0] if major == 2 else model.inputs[0].name: inputs})
        for name, (_, only) in zoo.ZOO.items():
            if only in (None, major) and (not names or name in names):
                write_case(keras, name, *zoo.zoo_model(keras, name))
    write_old_files(names)


if __name__ == "__main__":
    main(sys.argv[1:])
