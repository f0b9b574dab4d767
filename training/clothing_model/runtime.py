"""Runs exported models as the server does: ONNX Runtime on the CPU, one thread."""

from __future__ import annotations

import numpy as np
import onnxruntime

from .export import ACTIVATION_MAP, INPUT, LOGITS


def session(model: bytes) -> onnxruntime.InferenceSession:
    """Loads a serialised model for one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def logits_of(loaded: onnxruntime.InferenceSession, pixels: np.ndarray, batch: int = 8) -> np.ndarray:
    """uint8 [n, size, size, 3] -> float32 [n, classes]. Both outputs are computed, as the server asks for both."""
    parts = (np.ascontiguousarray(pixels[start : start + batch]) for start in range(0, len(pixels), batch))
    return np.concatenate([loaded.run([LOGITS, ACTIVATION_MAP], {INPUT: part})[0] for part in parts])
