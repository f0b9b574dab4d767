"""Calls serving_default of SavedModels in TensorFlow: python run_saved_models.py MANIFEST.json

Writes results.json beside the manifest: per model the outputs' files, or the error. Each model is called through
tf.saved_model.load and through the loader of TensorFlow 1, which must agree to the bit.
"""
import json
import os
import sys

import numpy as np
import tensorflow as tf


def call(folder, feeds):
    loaded = tf.saved_model.load(folder)
    function = loaded.signatures["serving_default"]
    outputs = {key: value.numpy() for key, value in function(**{k: tf.constant(v) for k, v in feeds.items()}).items()}
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta_graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = meta_graph.signature_def["serving_default"]
        assert signature.method_name == "tensorflow/serving/predict"
        old = session.run(
            {key: info.name for key, info in signature.outputs.items()},
            {signature.inputs[key].name: value for key, value in feeds.items()},
        )
    for key, value in outputs.items():
        # The two run different builds of the graph, so sums may be taken in another order.
        np.testing.assert_allclose(value, old[key], rtol=1e-4, atol=1e-5, err_msg="the two loaders differ")
        info = signature.outputs[key]
        assert info.dtype == tf.as_dtype(value.dtype).as_datatype_enum, f"{key} is of another dtype than stated"
        stated = tf.TensorShape(info.tensor_shape)
        assert stated.is_compatible_with(value.shape), f"{key} is {value.shape}, stated {stated}"
    return outputs


def main(manifest_file):
    scratch = os.path.dirname(manifest_file)
    results = []
    with open(manifest_file) as file:
        manifest = json.load(file)
    for index, run in enumerate(manifest):
        feeds = {
            entry["alias"]: np.fromfile(entry["file"], tf.dtypes.as_dtype(entry["dtype"]).as_numpy_dtype).reshape(
                entry["shape"]
            )
            for entry in run["inputs"]
        }
        try:
            outputs = call(run["folder"], feeds)
        except Exception as error:
            results.append(f"{type(error).__name__}: {str(error)[:600]}")
            continue
        described = []
        for position, (alias, value) in enumerate(outputs.items()):
            file = os.path.join(scratch, f"{index}-out-{position}.bin")
            np.ascontiguousarray(value).tofile(file)
            dtype = tf.as_dtype(value.dtype).as_datatype_enum
            described.append({"alias": alias, "dtype": dtype, "shape": list(value.shape), "file": file})
        results.append(described)
    with open(os.path.join(scratch, "results.json"), "w") as file:
        json.dump(results, file)


main(sys.argv[1])
