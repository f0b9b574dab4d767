"""Writes the model as ONNX, in fp32 or with 8-bit convolutions, and the contract files that lie beside it.

The graph is written by hand: it keeps TensorFlow's asymmetric padding as an attribute of each convolution, names
what a reader will look for, and puts the quantisation exactly where it is wanted.

Input    pixels                uint8   [rows, size, size, 3]  sRGB
Outputs  logits                float32 [rows, classes]
         class_activation_map  float32 [rows, classes, size / 32, size / 32]; its spatial mean is `logits`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from .model import FEATURES, PIXEL_OFFSET, PIXEL_SCALE, ClothingModel, SameConv, normalise, same_padding

OPSET = 17
IR_VERSION = 8
INPUT = "pixels"
LOGITS = "logits"
ACTIVATION_MAP = "class_activation_map"

WEIGHT_LIMIT = 64
"""Largest 8-bit weight, half of int8's range.

AVX2 without VNNI adds two products of an unsigned and a signed byte in 16 saturating bits:
2 x 255 x 64 = 32640 fits, 2 x 255 x 127 does not. With VNNI the answers are the same.
"""


@dataclass(frozen=True)
class Range:
    """Least and greatest value seen on the calibration photos; both sides of zero, as padding is zero."""

    low: float
    high: float

    def quantisation(self) -> tuple[np.float32, np.uint8]:
        """Scale and zero point of unsigned bytes that cover the range."""
        scale = np.float32((self.high - self.low) / 255)
        return scale, np.uint8(round(-self.low / float(scale)))


@torch.no_grad()
def activation_ranges(model: ClothingModel, pixels: np.ndarray, batch: int = 16) -> dict[str, Range]:
    """Least and greatest output of each convolution and each block over uint8 [n, h, w, 3] photos, by module name.

    ReLU6 is part of a layer's output here, as it is in the quantised graph.
    """
    seen: dict[str, tuple[float, float]] = {}
    linear = {f"blocks.{index}.project" for index in range(len(model.blocks))}

    def watch(name: str, limited: bool):
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            values = output.clamp(0, 6) if limited else output
            low, high = seen.get(name, (0.0, 0.0))
            seen[name] = (min(low, values.min().item()), max(high, values.max().item()))

        return hook

    hooks = []
    for name, module in model.named_modules():
        if isinstance(module, SameConv):
            hooks.append(module.register_forward_hook(watch(name, limited=name not in linear)))
    for index, block in enumerate(model.blocks):
        if block.residual:
            hooks.append(block.register_forward_hook(watch(f"blocks.{index}", limited=False)))
    model.eval()
    for start in range(0, len(pixels), batch):
        model(normalise(torch.from_numpy(np.array(pixels[start : start + batch]))))
    for hook in hooks:
        hook.remove()
    return {name: Range(*limits) for name, limits in seen.items()}


class GraphWriter:
    """Collects nodes and initializers. Methods return the name of the value they made."""

    def __init__(self, ranges: Mapping[str, Range] | None) -> None:
        self.ranges = ranges
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.scales: dict[str, np.float32] = {}
        """Scale of the bytes behind a dequantised value, by the value's name."""

    def constant(self, name: str, value: np.ndarray) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def dequantised(self, quantised: str, name: str, scale: np.float32, zero_point: np.uint8) -> str:
        scale_name, zero_name = f"{name}.scale", f"{name}.zero_point"
        existing = {initializer.name for initializer in self.initializers}
        if scale_name not in existing:
            self.constant(scale_name, np.array(scale, np.float32))
            self.constant(zero_name, np.array(zero_point, np.uint8))
        self.scales[name] = scale
        return self.node("DequantizeLinear", [quantised, scale_name, zero_name], name)

    def rounded_to_bytes(self, value: str, name: str) -> str:
        """Quantises `value` to the range seen for `name`, which also cuts it off there, and back."""
        scale, zero_point = self.ranges[name].quantisation()
        self.constant(f"{name}.scale", np.array(scale, np.float32))
        self.constant(f"{name}.zero_point", np.array(zero_point, np.uint8))
        quantised = self.node("QuantizeLinear", [value, f"{name}.scale", f"{name}.zero_point"], f"{name}.bytes")
        return self.dequantised(quantised, name, scale, zero_point)

    def weights(self, name: str, layer: SameConv, input_scale: np.float32) -> tuple[str, str]:
        """int8 weights, one scale per output channel; int32 bias in units of input scale x weight scale."""
        weight = layer.weight.detach().cpu().numpy()
        bias = layer.bias.detach().cpu().numpy()
        largest = np.abs(weight).reshape(len(weight), -1).max(axis=1)
        scale = np.maximum(largest / WEIGHT_LIMIT, 1e-12).astype(np.float32)
        # A dead channel has a tiny scale and so a bias beyond int32: give it room.
        scale = np.maximum(scale, np.abs(bias) / (2.0**30 * input_scale)).astype(np.float32)
        rounded = np.rint(weight / scale[:, None, None, None]).clip(-WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
        bias_scale = (scale * input_scale).astype(np.float32)
        names = []
        for kind, value, value_scale in (
            ("weight", rounded, scale),
            ("bias", np.rint(bias / bias_scale).astype(np.int32), bias_scale),
        ):
            full = f"{name}.{kind}"
            inputs = [
                self.constant(f"{full}.bytes", value),
                self.constant(f"{full}.scale", value_scale),
                self.constant(f"{full}.zero_point", np.zeros(len(value), value.dtype)),
            ]
            names.append(self.node("DequantizeLinear", inputs, full, axis=0))
        return names[0], names[1]

    def convolution(self, value: str, name: str, layer: SameConv, side: int, limited: bool) -> str:
        """Convolution with SAME padding for inputs of `side` pixels, then ReLU6 where `limited`."""
        before, after = same_padding(side, layer.kernel_size[0], layer.stride[0])
        attributes = {
            "kernel_shape": list(layer.kernel_size),
            "strides": list(layer.stride),
            "pads": [before, before, after, after],
            "group": layer.groups,
        }
        if self.ranges is not None:
            weight, bias = self.weights(name, layer, self.scales[value])
            # No ReLU6 node: an unsigned byte with zero point 0 cuts off at 0 and at the greatest value seen, at most 6.
            output = self.node("Conv", [value, weight, bias], f"{name}.sum", **attributes)
            return self.rounded_to_bytes(output, name)
        weight = self.constant(f"{name}.weight", layer.weight.detach().cpu().numpy())
        bias = self.constant(f"{name}.bias", layer.bias.detach().cpu().numpy())
        if not limited:
            return self.node("Conv", [value, weight, bias], name, **attributes)
        output = self.node("Conv", [value, weight, bias], f"{name}.sum", **attributes)
        return self.node("Clip", [output, "relu6.low", "relu6.high"], name)


def onnx_model(
    model: ClothingModel, size: int, ranges: Mapping[str, Range] | None, metadata: Mapping[str, str]
) -> onnx.ModelProto:
    """Writes `model` for pictures of `size` x `size` pixels.

    @param ranges activation ranges of `activation_ranges` for 8-bit convolutions, or None for fp32. The head is
        fp32 in both: it decides between classes and costs nothing.
    @param metadata goes into the file's `metadata_props`.
    """
    classes = model.head.out_features
    graph = GraphWriter(ranges)
    transposed = graph.node("Transpose", [INPUT], "pixels.nchw", perm=[0, 3, 1, 2])
    # A byte with scale 1/128 and zero point 127 *is* (pixel - 127) / 128: the input needs no rounding of its own.
    value = graph.dequantised(transposed, "normalised", np.float32(1 / PIXEL_SCALE), np.uint8(PIXEL_OFFSET))
    if ranges is None:
        graph.constant("relu6.low", np.array(0, np.float32))
        graph.constant("relu6.high", np.array(6, np.float32))

    side = size
    value = graph.convolution(value, "stem", model.stem, side, limited=True)
    side = -(-side // 2)
    for index, block in enumerate(model.blocks):
        name = f"blocks.{index}"
        entry = value
        if block.expand is not None:
            value = graph.convolution(value, f"{name}.expand", block.expand, side, limited=True)
        value = graph.convolution(value, f"{name}.depthwise", block.depthwise, side, limited=True)
        side = -(-side // block.depthwise.stride[0])
        value = graph.convolution(value, f"{name}.project", block.project, side, limited=False)
        if block.residual:
            if ranges is None:
                value = graph.node("Add", [entry, value], name)
            else:
                value = graph.rounded_to_bytes(graph.node("Add", [entry, value], f"{name}.sum"), name)
    value = graph.convolution(value, "last", model.last, side, limited=True)

    # The head as a 1x1 convolution *before* the mean: the same logits, and the map is there for free.
    head_weight = model.head.weight.detach().cpu().numpy().reshape(classes, FEATURES, 1, 1)
    inputs = [value, graph.constant("head.weight", head_weight)]
    inputs.append(graph.constant("head.bias", model.head.bias.detach().cpu().numpy()))
    graph.node("Conv", inputs, ACTIVATION_MAP, kernel_shape=[1, 1])
    graph.node("ReduceMean", [ACTIVATION_MAP], LOGITS, axes=[2, 3], keepdims=0)

    proto = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "clothing-model",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["rows", size, size, 3])],
            [
                helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["rows", classes]),
                helper.make_tensor_value_info(ACTIVATION_MAP, TensorProto.FLOAT, ["rows", classes, side, side]),
            ],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="vitrine-training",
    )
    helper.set_model_props(proto, dict(metadata))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def round_weights(model: ClothingModel) -> None:
    """Rounds every weight to the nearest float16 value (kept as float32), in place.

    The model is judged after this. It makes the fp32 file compress to about half in git; the files stay float32.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())
