"""Makes golden/onnx: small ONNX models of many exporters and opsets, inputs and the outputs that the source framework gives.

    python generate_onnx.py torch      # requirements-onnx.txt
    python generate_onnx.py helper     # requirements-onnx.txt
    python generate_onnx.py tf2onnx    # requirements.txt, and tf2onnx==1.17.0

Each case is NAME.onnx and NAME.out.npy; its input is in-SHAPE.npy. Outputs of models made by hand are those of ONNX Runtime for
Python on the same file.
"""

import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnx")
FLOAT = TensorProto.FLOAT


def random(*shape, seed=1):
    """Multiples of 1/64 between -1 and 1: they compress well and are exact in float32."""
    return (np.random.default_rng(seed).integers(-64, 65, shape) / 64).astype(np.float32)


def forget_where(path):
    """Takes out the stack traces, which name folders of the machine."""
    model = onnx.load(path)
    for node in [*model.graph.node, *(node for function in model.functions for node in function.node)]:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer]:
        value.ClearField("metadata_props")
    onnx.save(model, path)


def save(name, x, y):
    flat = y.reshape(len(y), -1)
    assert np.isfinite(y).all() and flat.std(axis=0).max() > 1e-4, f"{name} does not vary"
    # The pictures depend on their shape alone: models share them.
    np.save(os.path.join(FOLDER, f"in-{'x'.join(map(str, x.shape))}.npy"), x)
    np.save(os.path.join(FOLDER, f"{name}.out.npy"), y.astype(np.float32))


# --- models made by hand, in the words of their opset ---------------------------------------------------------------


def make(name, opset, nodes, weights, x, ir=None, out_shape=None, inputs_hold_weights=False, raw=True, functions=(), external=False):
    initializers = []
    for key, value in weights.items():
        tensor = numpy_helper.from_array(value, key)
        if not raw:
            kind = tensor.data_type
            tensor = helper.make_tensor(key, kind, value.shape, value.flatten().tolist())
        initializers.append(tensor)
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["n", *x.shape[1:]])]
    if inputs_hold_weights:
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in initializers]
    outputs = [helper.make_tensor_value_info("y", FLOAT, out_shape)]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    imports = [helper.make_opsetid("", opset)]
    if functions:
        imports.append(helper.make_opsetid("own", 1))
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions), producer_name="by hand")
    model.ir_version = ir or {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7}.get(opset, 8)
    path = os.path.join(FOLDER, f"{name}.onnx")
    if external:
        onnx.save(model, path, save_as_external_data=True, location=f"{name}.weights", size_threshold=64)
    else:
        onnx.save(model, path)
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    save(name, x, session.run(None, {"x": x})[0])


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def by_hand():
    picture = random(2, 3, 12, 10)
    batch_norm = {"g": np.abs(random(4, seed=2)) + 0.5, "b": random(4, seed=3), "m": random(4, seed=4), "v": np.abs(random(4, seed=5)) + 0.25}
    make(
        "opset7-classifier",
        7,
        [
            node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
            node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"], epsilon=1e-3, spatial=1),
            node("Clip", ["n"], ["r"], min=0.0, max=6.0),
            node("Dropout", ["r"], ["d"], ratio=0.3),
            node("Pad", ["d"], ["p"], pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.5),
            node("Slice", ["p"], ["s"], starts=[0, 1], ends=[9223372036854775807, -1], axes=[2, 3]),
            node("Upsample", ["s"], ["u"], mode="nearest", scales=[1.0, 1.0, 2.0, 3.0]),
            node("ReduceMean", ["u"], ["q"], axes=[2, 3], keepdims=0),
            node("Gemm", ["q", "k", "kb"], ["f"], transB=1),
            node("Unsqueeze", ["f"], ["fu"], axes=[2]),
            node("Squeeze", ["fu"], ["fs"], axes=[2]),
            node("Softmax", ["fs"], ["y"]),
        ],
        {"w": random(4, 3, 3, 3, seed=6), **batch_norm, "k": random(5, 4, seed=7), "kb": random(5, seed=8)},
        picture,
        inputs_hold_weights=True,
        raw=False,
    )
    make(
        "opset9-softmax-of-rows",
        9,
        [
            node("Split", ["x"], ["a", "b"], axis=2, split=[5, 7]),
            node("Softmax", ["b"], ["sb"], axis=1),
            node("LogSoftmax", ["a"], ["sa"], axis=2),
            node("Concat", ["sa", "sb"], ["c"], axis=2),
            node("Upsample", ["c", "scales"], ["u"], mode="linear"),
            node("TopK", ["u"], ["t", "ti"], k=4, axis=2),
            node("ReduceMax", ["t"], ["y"], axes=[3], keepdims=1),
        ],
        {"scales": np.array([1, 1, 1.5, 2], np.float32)},
        picture,
    )
    for mode, scale in (("nearest", 2.5), ("nearest", 0.6), ("linear", 1.7)):
        make(
            f"opset10-resize-{mode}-{scale}",
            10,
            [
                node("Resize", ["x", "scales"], ["r"], mode=mode),
                node("Slice", ["r", "starts", "ends", "axes", "steps"], ["y"]),
            ],
            {
                "scales": np.array([1, 1, scale, scale], np.float32),
                "starts": np.array([-1], np.int64),
                "ends": np.array([-9223372036854775807], np.int64),
                "axes": np.array([3], np.int64),
                "steps": np.array([-2], np.int64),
            },
            picture,
        )
    make(
        "opset11-resize-and-pad",
        11,
        [
            node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, np.float32))),
            node("Clip", ["x", "zero", ""], ["c"]),
            node("Pad", ["c", "pads"], ["p"], mode="reflect"),
            node("Resize", ["p", "none", "none", "sizes"], ["r"], mode="linear", coordinate_transformation_mode="align_corners"),
            node("Shape", ["r"], ["shape"]),
            node("Gather", ["shape", "first"], ["n"]),
            node("Unsqueeze", ["n"], ["n1"], axes=[0]),
            node("Concat", ["n1", "rest"], ["target"], axis=0),
            node("Reshape", ["r", "target"], ["f"]),
            node("ReduceSum", ["f"], ["y"], axes=[1], keepdims=1),
        ],
        {
            "pads": np.array([0, 0, 2, 1, 0, 0, 1, 2], np.int64),
            "none": np.zeros([0], np.float32),
            "sizes": np.array([2, 3, 20, 9], np.int64),
            "first": np.array(0, np.int64),
            "rest": np.array([3, -1], np.int64),
        },
        picture,
    )
    make(
        "opset13-same-padding",
        13,
        [
            node("Conv", ["x", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
            node("PRelu", ["c", "slope"], ["r"]),
            node("MaxPool", ["r"], ["m"], auto_pad="SAME_LOWER", kernel_shape=[3, 3], strides=[2, 2]),
            node("AveragePool", ["m"], ["a"], kernel_shape=[2, 2], ceil_mode=1, pads=[1, 1, 0, 0], count_include_pad=1),
            node("ConvTranspose", ["a", "t", "tb"], ["u"], strides=[2, 2], group=2, output_padding=[1, 1], pads=[1, 1, 1, 1]),
            node("GlobalMaxPool", ["u"], ["g"]),
            node("Flatten", ["g"], ["y"]),
        ],
        {
            "w": random(4, 3, 3, 3, seed=6),
            "slope": np.abs(random(4, 1, 1, seed=7)),
            "t": random(4, 3, 3, 3, seed=8),
            "tb": random(6, seed=9),
        },
        picture,
    )
    body = helper.make_function(
        "own",
        "Scaled",
        ["v"],
        ["w"],
        [
            _with_reference(node("LeakyRelu", ["v"], ["l"]), "alpha", "slope"),
            node("Mul", ["l", "l"], ["w"]),
        ],
        [helper.make_opsetid("", 17)],
        attributes=["slope"],
    )
    make(
        "opset17-functions",
        17,
        [
            helper.make_node("Scaled", ["x"], ["s"], domain="own", slope=0.25),
            helper.make_node("Scaled", ["s"], ["t"], domain="own", slope=0.5),
            node("LayerNormalization", ["t", "g", "b"], ["y"]),
        ],
        {"g": random(10, seed=2), "b": random(10, seed=3)},
        picture,
        functions=[body],
    )
    make(
        "opset18-external-weights",
        18,
        [
            node("Conv", ["x", "w", "b"], ["c"]),
            node("Split", ["c"], ["p", "q"], axis=1, num_outputs=2),
            node("Mul", ["p", "q"], ["m"]),
            node("ReduceMean", ["m", "axes"], ["y"], keepdims=0),
        ],
        {"w": random(4, 3, 3, 3, seed=6), "b": random(4, seed=7), "axes": np.array([2, 3], np.int64)},
        picture,
        external=True,
    )
    for opset, ir in ((21, 10), (24, 10), (25, 10)):
        make(
            f"opset{opset}-groups",
            opset,
            [
                node("Conv", ["x", "w"], ["c"], group=3),
                node("GroupNormalization", ["c", "g", "b"], ["n"], num_groups=2),
                node("Gelu", ["n"], ["a"], approximate="tanh"),
                node("DepthToSpace", ["a"], ["d"], blocksize=2, mode="CRD"),
                node("ReduceMean", ["d", "axes"], ["y"], keepdims=0),
            ],
            {"w": random(12, 1, 3, 3, seed=6), "g": random(12, seed=2), "b": random(12, seed=3), "axes": np.array([2], np.int64)},
            picture,
            ir=ir,
        )


def _with_reference(one, attribute, reference):
    proto = one.attribute.add()
    proto.name = attribute
    proto.type = onnx.AttributeProto.FLOAT
    proto.ref_attr_name = reference
    return one


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def by_torch():
    import torch
    from torch import nn

    torch.manual_seed(0)

    class SqueezeExcite(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

        def forward(self, x):
            s = nn.functional.adaptive_avg_pool2d(x, 1)
            return x * nn.functional.hardsigmoid(self.up(nn.functional.relu(self.down(s))))

    class Small(nn.Module):
        """What torchvision's and timm's classifiers are made of."""

        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
            self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.SiLU())
            self.attend = SqueezeExcite(8)
            self.pool = nn.MaxPool2d(3, 2, 1)
            self.norm = nn.LayerNorm(8)
            self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 5))

        def forward(self, x):
            x = self.stem(x)
            x = x + self.attend(self.deep(x))
            x = self.pool(x)
            x = torch.cat([x, nn.functional.interpolate(x[:, :, ::2, ::2], size=x.shape[2:], mode="bilinear")], 1)
            x = x.view(x.size(0), 2, 8, *x.shape[2:]).transpose(1, 2).flatten(1, 2)[:, :8]
            x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = nn.functional.adaptive_avg_pool2d(x, 1)
            return self.head(torch.flatten(x, 1))

    class VisionTransformer(nn.Module):
        """What Hugging Face's image classifiers are made of."""

        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 16, 8, 8)
            self.first = nn.Parameter(torch.randn(1, 1, 16))
            self.places = nn.Parameter(torch.randn(1, 17, 16))
            self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
            self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
            self.mlp = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
            self.classifier = nn.Linear(16, 5)

        def forward(self, pixel_values):
            x = self.patches(pixel_values).flatten(2).transpose(1, 2)
            x = torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.places
            q, k, v = self.qkv(self.norm1(x)).view(x.shape[0], 17, 3, 4, 4).permute(2, 0, 3, 1, 4)
            scores = (q @ k.transpose(-1, -2) / 2).softmax(-1)
            x = x + self.out((scores @ v).transpose(1, 2).reshape(x.shape[0], 17, 16))
            x = x + self.mlp(self.norm2(x))
            return self.classifier(x[:, 0])

    def export(name, module, x, **options):
        module = module.eval()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-0.5, 0.5)
                layer.running_var.uniform_(0.5, 1.5)
        path = os.path.join(FOLDER, f"{name}.onnx")
        tensor = torch.from_numpy(x)
        names = {"input_names": ["pixel_values"], "output_names": ["logits"]}
        if options.pop("dynamo", False):
            batch = torch.export.Dim("batch")
            torch.onnx.export(module, (tensor,), path, dynamo=True, external_data=False, dynamic_shapes=({0: batch},), **names, **options)
            forget_where(path)
        else:
            torch.onnx.export(module, (tensor,), path, dynamo=False, dynamic_axes={"pixel_values": {0: "batch"}, "logits": {0: "batch"}}, **names, **options)
        save(name, x, module(tensor).detach().numpy())

    picture = random(2, 3, 32, 32)
    small = Small()
    for opset in (11, 13, 17, 20):
        export(f"torch-small-opset{opset}", small, picture, opset_version=opset)
    export("torch-small-training-layers-opset12", small, picture, opset_version=12, do_constant_folding=False)
    export("torch-small-dynamo-opset18", small, picture, dynamo=True, opset_version=18)
    export("torch-small-dynamo-opset21", small, picture, dynamo=True, opset_version=21)
    transformer = VisionTransformer()
    for opset in (12, 18):
        export(f"torch-transformer-opset{opset}", transformer, picture, opset_version=opset)
    export("torch-transformer-dynamo-opset20", transformer, picture, dynamo=True, opset_version=20)
    import torchvision

    squeezed = torchvision.models.squeezenet1_1(num_classes=5)
    plain = nn.Sequential(squeezed.features[0], nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(64, 5, 1), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())
    for opset in (7, 9, 10):
        export(f"torch-plain-opset{opset}", plain, picture, opset_version=opset)


# --- TensorFlow through tf2onnx -------------------------------------------------------------------------------------


def by_tf2onnx():
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import tensorflow as tf
    import tf2onnx
    import tf_keras as keras

    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.ReLU(6.0)(x)
    x = keras.layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x)
    x = keras.layers.Activation("swish")(x)
    shortcut = x
    s = keras.layers.GlobalAveragePooling2D()(x)
    s = keras.layers.Reshape((1, 1, 8))(s)
    s = keras.layers.Conv2D(8, 1, activation="hard_sigmoid")(s)
    x = keras.layers.Multiply()([shortcut, s])
    x = keras.layers.Concatenate()([x, shortcut])
    x = keras.layers.AveragePooling2D(3, 2, padding="same")(x)
    x = keras.layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)
    x = keras.layers.Cropping2D(1)(x)
    x = keras.layers.SeparableConv2D(6, 3, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5, activation="softmax", name="scores")(x)
    model = keras.Model(image, x)
    picture = random(2, 32, 32, 3)
    scores = model.predict(picture)
    signature = [tf.TensorSpec((None, 32, 32, 3), tf.float32, name="image")]
    for opset in (11, 13, 17):
        name = f"keras-tf2onnx-opset{opset}"
        tf2onnx.convert.from_keras(model, signature, opset=opset, output_path=os.path.join(FOLDER, f"{name}.onnx"))
        save(name, picture, scores)


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    {"torch": by_torch, "helper": by_hand, "tf2onnx": by_tf2onnx}[sys.argv[1]]()
