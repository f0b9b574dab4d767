"""Writes onnx/model.onnx as optimum exports image classifiers: float, channels first, every size open.

    pip install onnx==1.23.0 && python generate.py

Its logits are the means of the red and of the green channel.
"""

import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

weights = numpy_helper.from_array(numpy.array([[1, 0], [0, 1], [0, 0]], numpy.float32), "weights")
graph = helper.make_graph(
    [
        helper.make_node("GlobalAveragePool", ["pixel_values"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ],
    "export",
    [
        helper.make_tensor_value_info(
            "pixel_values", TensorProto.FLOAT, ["batch_size", "num_channels", "height", "width"]
        )
    ],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", 2])],
    [weights],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, pathlib.Path(__file__).parent / "onnx" / "model.onnx")
