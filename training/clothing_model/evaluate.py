"""Figures of a model from its logits: error, calibration, classes, what is "not sure", and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from .data import LABELS

CALIBRATION_BINS = 15
KEPT_RIGHT_ANSWERS = 0.95
"""Share of the right answers on validation that must stay above the threshold."""


def probabilities(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of logits / temperature, float64 [n, classes]."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def negative_log_likelihood(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Mean of -log(probability of the label), in nats: small only for answers both right and well calibrated."""
    chosen = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood, between 0.05 and 20."""
    found = minimize_scalar(
        lambda log_temperature: negative_log_likelihood(logits, labels, float(np.exp(log_temperature))),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)


def calibration(chances: np.ndarray, labels: np.ndarray, bins: int = CALIBRATION_BINS) -> tuple[float, list[dict]]:
    """Expected calibration error of the top answer, and its bins of equal width (empty ones left out).

    The error is the mean over photos of |share right - mean top probability| of their bin.
    """
    top, right = chances.max(axis=1), chances.argmax(axis=1) == labels
    index = np.minimum((top * bins).astype(int), bins - 1)
    rows, error = [], 0.0
    for number in range(bins):
        members = index == number
        if members.any():
            gap = abs(right[members].mean() - top[members].mean())
            error += gap * members.mean()
            rows.append(
                {
                    "from": round(number / bins, 4),
                    "to": round((number + 1) / bins, 4),
                    "photos": int(members.sum()),
                    "mean_probability": round(float(top[members].mean()), 4),
                    "share_right": round(float(right[members].mean()), 4),
                }
            )
    return float(error), rows


def calibration_of_other_half(logits: np.ndarray, labels: np.ndarray, draws: int = 50, seed: int = 0) -> float:
    """Expected calibration error on one half of the photos at the temperature fitted on the other, mean of draws.

    Half the photos make the error itself look larger: it is the mean of absolute gaps of smaller bins.
    """
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(draws):
        order = rng.permutation(len(labels))
        fitted, judged = order[: len(order) // 2], order[len(order) // 2 :]
        temperature = fit_temperature(logits[fitted], labels[fitted])
        errors.append(calibration(probabilities(logits[judged], temperature), labels[judged])[0])
    return float(np.mean(errors))


def choose_threshold(chances: np.ndarray, labels: np.ndarray) -> float:
    """The highest threshold, in hundredths, that leaves KEPT_RIGHT_ANSWERS of the right answers sure."""
    right = chances.max(axis=1)[chances.argmax(axis=1) == labels]
    steps = np.arange(100) / 100
    return float(max(step for step in steps if (right >= step).mean() >= KEPT_RIGHT_ANSWERS))


@dataclass(frozen=True)
class Judged:
    """A model's answers to the validation photos, at its own temperature and threshold."""

    logits: np.ndarray
    """float32 [n, classes]."""
    labels: np.ndarray
    """int64 [n]."""
    temperature: float
    threshold: float

    @staticmethod
    def of(logits: np.ndarray, labels: np.ndarray) -> Judged:
        temperature = fit_temperature(logits, labels)
        return Judged(logits, labels, temperature, choose_threshold(probabilities(logits, temperature), labels))

    @property
    def chances(self) -> np.ndarray:
        return probabilities(self.logits, self.temperature)

    @property
    def accuracy(self) -> float:
        return float((self.logits.argmax(axis=1) == self.labels).mean())

    def confusion(self) -> np.ndarray:
        """int64 [classes, classes]: row = label, column = answer."""
        matrix = np.zeros((len(LABELS), len(LABELS)), np.int64)
        np.add.at(matrix, (self.labels, self.logits.argmax(axis=1)), 1)
        return matrix

    def per_class(self) -> dict[str, dict]:
        matrix = self.confusion()
        rows = {}
        for index, label in enumerate(LABELS):
            hits, photos, answers = matrix[index, index], matrix[index].sum(), matrix[:, index].sum()
            precision, recall = hits / max(answers, 1), hits / max(photos, 1)
            rows[label] = {
                "photos": int(photos),
                "precision": round(float(precision), 4),
                "recall": round(float(recall), 4),
                "f1": round(float(2 * precision * recall / max(precision + recall, 1e-12)), 4),
            }
        return rows

    def figures(self) -> dict:
        """What `config.json` and the report say of the model; shares, not percent."""
        top, right = self.chances.max(axis=1), self.logits.argmax(axis=1) == self.labels
        sure = top >= self.threshold
        return {
            "validation_photos": len(self.labels),
            "accuracy": round(self.accuracy, 4),
            "negative_log_likelihood": round(negative_log_likelihood(self.logits, self.labels, self.temperature), 4),
            "expected_calibration_error": round(calibration(self.chances, self.labels)[0], 4),
            "expected_calibration_error_before_temperature": round(
                calibration(probabilities(self.logits, 1.0), self.labels)[0], 4
            ),
            "expected_calibration_error_of_other_half": round(calibration_of_other_half(self.logits, self.labels), 4),
            "temperature": self.temperature,
            "threshold": self.threshold,
            "share_sure": round(float(sure.mean()), 4),
            "accuracy_where_sure": round(float(right[sure].mean()), 4),
        }

    def wrong_answers(self, paths: list[str]) -> list[dict]:
        """Photos answered wrong, the surest first."""
        chances = self.chances
        answers = chances.argmax(axis=1)
        wrong = [row for row in np.argsort(-chances.max(axis=1)) if answers[row] != self.labels[row]]
        return [
            {
                "path": paths[row],
                "label": LABELS[self.labels[row]],
                "answer": LABELS[answers[row]],
                "probability": round(float(chances[row].max()), 4),
                "probability_of_label": round(float(chances[row, self.labels[row]]), 4),
            }
            for row in wrong
        ]


def draw_confusion(judged: Judged, title: str, file: Path) -> None:
    """Writes the confusion matrix as a PNG of about 700 x 650 pixels."""
    from matplotlib.figure import Figure

    matrix = judged.confusion()
    figure = Figure(figsize=(7, 6.5), dpi=100, layout="tight")
    axes = figure.subplots()
    axes.imshow(matrix / matrix.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if row == column else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(LABELS)), LABELS, rotation=45, ha="right")
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("answer")
    axes.set_ylabel("label of the photo")
    axes.set_title(title)
    figure.savefig(file)


def draw_calibration(judged: Judged, title: str, file: Path) -> None:
    """Writes share right over top probability, and how many photos there are, as a PNG of 650 x 600 pixels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 6), dpi=100, layout="tight")
    curve, counts = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    curve.plot((0, 1), (0, 1), color="gray", linestyle=":")
    for name, temperature in ((f"T = {judged.temperature}", judged.temperature), ("T = 1", 1.0)):
        error, bins = calibration(probabilities(judged.logits, temperature), judged.labels)
        points = [(row["mean_probability"], row["share_right"]) for row in bins]
        curve.plot(*zip(*points, strict=True), marker="o", label=f"{name}: calibration error {error:.3f}")
    curve.axvline(judged.threshold, color="firebrick", linestyle="--", label=f"not sure below {judged.threshold}")
    curve.set_ylabel("share right")
    curve.set_title(title)
    curve.legend(loc="upper left")
    counts.hist(judged.chances.max(axis=1), bins=np.linspace(0, 1, CALIBRATION_BINS + 1), color="steelblue")
    counts.set_xlabel("probability of the top answer")
    counts.set_ylabel("photos")
    figure.savefig(file)
