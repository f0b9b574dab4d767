"""What saved_model_cli show prints for every SavedModel in this folder: python generate_show_texts.py

Needs requirements-saved-models.txt. Writes show/texts.json.br, and show/models.tar.br: SavedModels whose functions,
signatures and tag sets are of all kinds. Run it again whenever SavedModels here were made anew; texts of those that stayed
are kept.

Each text comes from the real command in a process of its own, with one change: members of dicts are decoded in sorted
order. TensorFlow itself takes them in the order of a hash table that is seeded anew in every process.
"""
import collections
import hashlib
import io
import json
import os
import pathlib
import sys
import tarfile
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import brotli
import tensorflow as tf
from tensorflow.python.saved_model import nested_structure_coder
from tensorflow.python.tools import saved_model_cli

HERE = pathlib.Path(__file__).parent
ONE = [
    [],
    ["--list_ops"],
    ["--all"],
    ["--tag_set", "serve"],
    ["--tag_set", "serve", "--list_ops"],
    ["--tag_set", "serve", "--signature_def", "serving_default"],
    ["--tag_set", "serve", "--signature_def", "__saved_model_init_op"],
    ["--tag_set", "serve", "--signature_def", "no such"],
    ["--tag_set", "serve", "--signature_def", "no such", "--list_ops"],
    ["--tag_set", "train"],
    ["--tag_set", ""],
    ["--tag_set", " serve", "--signature_def", "serving_default"],
    ["--tag_set", ",", "--signature_def", "serving_default"],
]
MANY = ONE + [
    ["--tag_set", "gpu,serve"],
    ["--tag_set", "serve,gpu,serve", "--list_ops"],
    ["--tag_set", "serve,gpu", "--signature_def", "it's"],
]

nested_structure_coder._DictCodec.do_decode = lambda self, value, decode_fn: {
    key: decode_fn(value.dict_value.fields[key]) for key in sorted(value.dict_value.fields)
}


class Plain(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.ones([3, 2]), name="w")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x):
        return {"logits": tf.matmul(x, self.w), "probs": tf.nn.softmax(tf.matmul(x, self.w))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="names"), tf.TensorSpec([], tf.int64, name="k")])
    def greet(self, names, k):
        return {"out_bytes": names, "k2": k + 1}


Pair = collections.namedtuple("Pair", ["a", "b"])


class Nested(tf.Module):
    def __init__(self):
        self.v = tf.Variable(1.0)
        self.sub = Plain()

    @tf.function
    def many(self, x, training=False, *, scale=2.0, mode="x"):
        return x * scale if training else x * self.v

    @tf.function
    def nest(self, d, l, t=None):
        return d["a"] + l[0]

    @tf.function
    def pair(self, p):
        return p.a + p.b

    @tf.function
    def only_named(self, *, x):
        return x

    @tf.function
    def no_arguments(self):
        return self.v + 1.0

    @tf.function
    def values(self, x, v=(1, "two"), s="it's", q='q"q', z=None, t=tf.float32):
        return x

    @tf.function
    def sparse(self, x):
        return tf.sparse.to_dense(x)

    @tf.function
    def ragged(self, x):
        return x.to_tensor()

    @tf.function
    def slices(self, x):
        return x.values

    @tf.function
    def variable(self, x):
        return x + 1

    @tf.function
    def dataset(self, x):
        return x.reduce(0.0, lambda total, value: total + value)

    @tf.function
    def never(self, x):
        return x


@tf.function
def plus_one(x):
    return x + 1


def nested():
    module = Nested()
    x = tf.TensorSpec([None, 3], tf.float32, name="x")
    for shape in ([None, 3], [2, 3], None):
        for training in (False, True):
            module.many.get_concrete_function(tf.TensorSpec(shape, tf.float32, name="x"), training=training)
    module.many.get_concrete_function(tf.TensorSpec([1], tf.float32), scale=3.0, mode="y")
    module.nest.get_concrete_function({"a": x, "b": tf.TensorSpec([], tf.int32)}, [x, x])
    module.nest.get_concrete_function({"a": x, "b": 5}, (x, "q"), t={"z": 1})
    module.nest.get_concrete_function({"a": x, "o": [x, {"b": (x, "s", None, 1.0)}]}, [x], t=[])
    module.pair.get_concrete_function(Pair(x, x))
    module.only_named.get_concrete_function(x=x)
    module.no_arguments.get_concrete_function()
    for value in (1e-5, 1e16, 1e22, 123456789.123, float("inf"), float("nan"), -0.0, 10**15, True, -7, 1 / 3, 1e-4):
        module.values.get_concrete_function(x, value)
    module.values.get_concrete_function(x, t=tf.float16)
    module.sparse.get_concrete_function(tf.SparseTensorSpec([None, 3], tf.float32))
    module.ragged.get_concrete_function(tf.RaggedTensorSpec([None, None], tf.float32))
    module.slices.get_concrete_function(tf.IndexedSlicesSpec([3, 4]))
    module.variable.get_concrete_function(module.v)
    module.dataset.get_concrete_function(tf.data.DatasetSpec(tf.TensorSpec([], tf.float32)))
    module.function = plus_one
    module.concrete = plus_one.get_concrete_function(tf.TensorSpec([4], tf.int32, name="inp"))
    plus_one.get_concrete_function(tf.TensorSpec([4], tf.float32))
    return module


def ragged():
    module = tf.Module()
    module.double = tf.function(lambda r: r * 2, input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])
    return module


def write_graphs(folder):
    """Of TensorFlow 1: several tag sets, sparse inputs, unknown ranks, keys with quotes."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 4], name="x")
        u = v1.placeholder(tf.float32, None, name="u")
        sparse = v1.sparse_placeholder(tf.float32, [None, 4], name="sp")
        z = tf.matmul(x, v1.get_variable("w", [4, 2]))
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"x": info(x), "u": info(u), "sp": info(sparse)}, {"z": info(z)}, "tensorflow/serving/predict"
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve", "gpu"], {"serving_default": signature, "it's": signature}
        )
        builder.add_meta_graph(["train"], {})
        builder.add_meta_graph(["serve"], {"a": signature, "b\\x": signature})
        builder.save()


def make_models(folder):
    plain = Plain()
    tf.saved_model.save(plain, folder / "plain", signatures={"serving_default": plain.__call__, "greet": plain.greet})
    tf.saved_model.save(nested(), folder / "nested")
    module = ragged()
    tf.saved_model.save(module, folder / "ragged", signatures=module.double)
    write_graphs(folder / "graphs")
    tf.saved_model.save(tf.Module(), folder / "empty")


def run(folder, arguments):
    """The command in a fork: what TensorFlow counts since its start is as in a new process."""
    with tempfile.TemporaryFile("w+") as out:
        out.flush()
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.argv = ["saved_model_cli", "show", "--dir", str(folder), *arguments]
            code = 1
            try:
                saved_model_cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
            except BaseException:
                pass
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        return {"args": arguments, "stdout": out.read(), "code": os.waitstatus_to_exitcode(status)}


def saved_models(scratch):
    """(name, folder, arguments) of every SavedModel in this folder."""
    with tarfile.open(fileobj=io.BytesIO(brotli.decompress((HERE / "show" / "models.tar.br").read_bytes()))) as archive:
        archive.extractall(scratch / "show", filter="data")
    for folder in sorted((scratch / "show").iterdir()):
        yield f"show/{folder.name}", folder, MANY if folder.name == "graphs" else ONE
    for packed in sorted((HERE / "keras").glob("*.tar.br")):
        name = packed.name.removesuffix(".tar.br")
        with tarfile.open(fileobj=io.BytesIO(brotli.decompress(packed.read_bytes()))) as archive:
            members = [member for member in archive if member.name.split("/")[0] == "saved-model"]
            archive.extractall(scratch / name, members=members, filter="data")
        if (scratch / name / "saved-model" / "saved_model.pb").exists():
            yield f"keras/{name}", scratch / name / "saved-model", [["--all"]]
    for packed in sorted((HERE / "saved-models-tf").rglob("saved_model.pb.br")):
        name = packed.parent.relative_to(HERE / "saved-models-tf")
        folder = scratch / "tf" / name
        for part in packed.parent.rglob("*.br"):
            target = folder / part.relative_to(packed.parent).with_suffix("")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(brotli.decompress(part.read_bytes()))
        yield f"saved-models-tf/{name}", folder, [["--all"]]


def main():
    (HERE / "show").mkdir(exist_ok=True)
    models = HERE / "show" / "models.tar.br"
    if not models.exists():
        # In a process of its own: what is traced here counts, too.
        child = os.fork()
        if child == 0:
            with tempfile.TemporaryDirectory() as made:
                make_models(pathlib.Path(made))
                content = io.BytesIO()
                with tarfile.open(fileobj=content, mode="w") as archive:
                    for file in sorted(pathlib.Path(made).rglob("*.pb")):
                        if file.name == "saved_model.pb":
                            archive.add(file, file.relative_to(made))
                models.write_bytes(brotli.compress(content.getvalue()))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    target = HERE / "show" / "texts.json.br"
    known = json.loads(brotli.decompress(target.read_bytes())) if target.exists() else {}
    texts = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, folder, variants in saved_models(pathlib.Path(scratch)):
            digest = hashlib.sha256((folder / "saved_model.pb").read_bytes()).hexdigest()
            before = known.get(name)
            if before is not None and before["sha256"] == digest:
                texts[name] = before
                continue
            texts[name] = {"sha256": digest, "runs": [run(folder, arguments) for arguments in variants]}
            print(name, [one["code"] for one in texts[name]["runs"]], flush=True)
    text = json.dumps(texts).replace(scratch, "")
    target.write_bytes(brotli.compress(text.encode()))


main()
