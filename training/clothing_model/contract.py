"""The two JSON files beside each model: what a gateway must know to feed it and to read its answers."""

from __future__ import annotations

from .data import LABELS
from .export import ACTIVATION_MAP, LOGITS
from .pixels import PICTURE_SIZE

LICENCE = "Apache-2.0"


def config(precision: str, temperature: float, threshold: float, threshold_reason: str, training: dict) -> dict:
    """`config.json`: Hugging Face keys, ours under `vitrine`.

    @param temperature logits are divided by it before softmax.
    @param threshold top probabilities below it mean "not sure".
    @param training digests, commit and figures, for the record.
    """
    return {
        "architectures": ["EfficientNetLite2ForImageClassification"],
        "model_type": "efficientnet-lite2",
        "problem_type": "single_label_classification",
        "num_labels": len(LABELS),
        "id2label": {str(index): label for index, label in enumerate(LABELS)},
        "label2id": {label: index for index, label in enumerate(LABELS)},
        "image_size": PICTURE_SIZE,
        "num_channels": 3,
        "vitrine": {
            "score_kind": "logits",
            "temperature": temperature,
            "threshold": threshold,
            "threshold_reason": threshold_reason,
            "scores_output": LOGITS,
            "activation_map_output": ACTIVATION_MAP,
            "precision": precision,
            "licence": LICENCE,
            "training": training,
        },
    }


def preprocessor_config() -> dict:
    """`preprocessor_config.json`: the pixels of `pixels.serving_pixels`; normalisation is inside the graph."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": PICTURE_SIZE, "width": PICTURE_SIZE},
        "resample": 2,
        "do_rescale": False,
        "do_normalize": False,
        "vitrine": {"orientation": "exif"},
    }
