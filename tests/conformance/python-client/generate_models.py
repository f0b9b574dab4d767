"""Writes the models of the conformance suite as SavedModels to ../models, small enough to read with saved_model_cli."""
import os
import pathlib
import shutil

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf

target = pathlib.Path(__file__).parent.parent / "models"
T = tf.TensorSpec
DTYPES = {
    "float": tf.float32, "double": tf.float64, "half": tf.float16, "uint8": tf.uint8, "int8": tf.int8,
    "uint16": tf.uint16, "int16": tf.int16, "uint32": tf.uint32, "int32": tf.int32, "uint64": tf.uint64,
    "int64": tf.int64, "bool": tf.bool, "string": tf.string,
}


def save(name, **signatures):
    """Each signature is (function, {input alias: TensorSpec})."""
    module = tf.Module()
    concrete = {}
    for key, (function, specs) in signatures.items():
        made = tf.function(function, input_signature=None).get_concrete_function(
            **{alias: T(spec.shape, spec.dtype, name=alias) for alias, spec in specs.items()}
        )
        setattr(module, key, made)
        concrete[key] = made
    folder = target / name / "1"
    shutil.rmtree(target / name, ignore_errors=True)
    tf.saved_model.save(module, str(folder), signatures=concrete)
    for leftover in ("assets", "fingerprint.pb"):
        path = folder / leftover
        if path.is_dir():
            path.rmdir()
        elif path.exists():
            path.unlink()


def pixel_sum(pixels):
    floats = tf.cast(pixels, tf.float32)
    return {"floats": floats, "total": tf.reduce_sum(floats, axis=[1, 2, 3])}


save("pixel-sum", serving_default=(pixel_sum, {"pixels": T([None, 2, 2, 3], tf.uint8)}))
save(
    "add",
    serving_default=(lambda x, y: {"sum": x + y}, {"x": T([None, 2], tf.float32), "y": T([None, 2], tf.float32)}),
)
table = tf.constant([[10.0, 11.0], [20.0, 21.0], [30.0, 31.0]])
save("lookup", serving_default=(lambda index: {"row": tf.gather(table, index)}, {"index": T([None], tf.int64)}))
weights = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
save("dynamic", serving_default=(lambda x: {"y": tf.matmul(x, weights)}, {"x": T([None, None], tf.float32)}))
save("scalar", serving_default=(lambda x: {"y": x + x}, {"x": T([], tf.float32)}))
save(
    "types",
    serving_default=(
        lambda **inputs: {
            **{f"{alias}_out": tf.identity(value) for alias, value in inputs.items()},
            "string_bytes": tf.identity(inputs["string"]),
        },
        {alias: T([None], dtype) for alias, dtype in DTYPES.items()},
    ),
)
save(
    "two-signatures",
    serving_default=(lambda x: {"y": x * 2.0}, {"x": T([None, 2], tf.float32)}),
    negate=(lambda x: {"minus": -x}, {"x": T([None, 2], tf.float32)}),
)


def examples():
    """Classify and Regress over one ParseExample, as tf.estimator and TensorFlow Serving's own examples export."""
    folder = target / "examples" / "1"
    shutil.rmtree(target / "examples", ignore_errors=True)
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = tf.io.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([2], tf.float32),
                "shift": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.5]),
            },
        )
        hidden = tf.matmul(parsed["x"], tf.constant([[1.0, -1.0, 0.25], [2.0, 1.0, -0.5]])) + parsed["shift"]
        scores = tf.nn.softmax(hidden, name="scores")
        total = tf.reduce_sum(hidden, axis=1, keepdims=True, name="total")
        info = v1.saved_model.utils.build_tensor_info
        definition = v1.saved_model.signature_def_utils.build_signature_def
        inputs = {"inputs": info(serialized)}
        signatures = {
            "serving_default": definition(inputs, {"scores": info(scores)}, "tensorflow/serving/classify"),
            "regress": definition(inputs, {"outputs": info(total)}, "tensorflow/serving/regress"),
            "predict": definition(
                inputs, {"scores": info(scores), "total": info(total)}, "tensorflow/serving/predict"
            ),
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


examples()
names = sorted(path.name for path in target.iterdir() if path.is_dir())
entries = "".join(
    f'  config {{ name: "{name}" base_path: "/models/{name}" model_platform: "tensorflow" }}\n' for name in names
)
(target / "models.config").write_text(f"model_config_list {{\n{entries}}}\n")
print(f"{len(names)} models in {target}")
