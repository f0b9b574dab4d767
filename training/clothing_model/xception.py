"""Xception at 299 pixels as an ONNX graph with random weights: the reference for speed, about 8.4 GFLOPs a picture."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 299


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.rng = np.random.default_rng(0)

    def node(self, operator: str, inputs: list[str], **attributes: object) -> str:
        output = f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def weight(self, *shape: int) -> str:
        name = f"weight.{len(self.initializers)}"
        spread = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.01
        self.initializers.append(numpy_helper.from_array(self.rng.normal(0, spread, shape).astype(np.float32), name))
        return name

    def convolution(
        self, value: str, channels_in: int, channels_out: int, kernel: int, stride: int = 1, same: bool = True
    ) -> str:
        """Batch norm is folded, so a convolution has a bias."""
        pads = [kernel // 2] * 4 if same else [0] * 4
        inputs = [value, self.weight(channels_out, channels_in, kernel, kernel), self.weight(channels_out)]
        return self.node("Conv", inputs, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads)

    def relu(self, value: str) -> str:
        return self.node("Relu", [value])

    def separable(self, value: str, channels_in: int, channels_out: int) -> str:
        depthwise = self.node(
            "Conv", [value, self.weight(channels_in, 1, 3, 3)], kernel_shape=[3, 3], pads=[1] * 4, group=channels_in
        )
        return self.convolution(depthwise, channels_in, channels_out, 1)

    def downward(self, value: str, channels_in: int, channels_between: int, channels_out: int, relu_first: bool) -> str:
        """Two separable convolutions and a max pool, beside a strided 1x1 convolution."""
        shortcut = self.convolution(value, channels_in, channels_out, 1, 2)
        inner = self.relu(value) if relu_first else value
        inner = self.relu(self.separable(inner, channels_in, channels_between))
        inner = self.separable(inner, channels_between, channels_out)
        pooled = self.node("MaxPool", [inner], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        return self.node("Add", [pooled, shortcut])


def xception() -> onnx.ModelProto:
    """Takes float32 `pixels` [rows, 299, 299, 3] as the Keras model does; 10 classes over a layer of 100."""
    writer = _Writer()
    value = writer.node("Transpose", ["pixels"], perm=[0, 3, 1, 2])
    value = writer.relu(writer.convolution(value, 3, 32, 3, 2, same=False))
    value = writer.relu(writer.convolution(value, 32, 64, 3, same=False))
    value = writer.downward(value, 64, 128, 128, relu_first=False)
    value = writer.downward(value, 128, 256, 256, relu_first=True)
    value = writer.downward(value, 256, 728, 728, relu_first=True)
    for _ in range(8):
        inner = value
        for _ in range(3):
            inner = writer.separable(writer.relu(inner), 728, 728)
        value = writer.node("Add", [inner, value])
    value = writer.downward(value, 728, 728, 1024, relu_first=True)
    value = writer.relu(writer.separable(value, 1024, 1536))
    value = writer.relu(writer.separable(value, 1536, 2048))
    value = writer.node("Flatten", [writer.node("GlobalAveragePool", [value])])
    value = writer.relu(writer.node("Gemm", [value, writer.weight(2048, 100), writer.weight(100)]))
    scores = writer.node("Gemm", [value, writer.weight(100, 10), writer.weight(10)])
    graph = helper.make_graph(
        writer.nodes,
        "xception",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["rows", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["rows", 10])],
        writer.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
