"""Trains one seed: from ImageNet weights to the moving average of the fine-tuned ones, resumable after each epoch."""

from __future__ import annotations

import copy
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from .augment import augment, mix
from .data import LABELS, Split
from .model import ClothingModel, load_imagenet, normalise
from .outliers import outlier


def warmed_cosine(step: int, steps: int, warm_up: int) -> float:
    """Linear warm-up to 1, then half a cosine that ends at zero with the last of `steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@dataclass(frozen=True)
class Recipe:
    """What a run does; every seed of a run does the same."""

    sizes: tuple[int, ...] = (128,) + 7 * (160,) + 3 * (192,)
    """Side of the training views in pixels, one entry an epoch."""
    finish_sizes: tuple[int, ...] = 2 * (192,)
    """The same for the epochs after that, with photos not mixed and a learning rate that starts once more, lower."""
    finish_learning_rate: float = 0.5
    """Share of the learning rates in those epochs."""
    photos_per_step: int = 30
    outliers_per_step: int = 2
    learning_rate: float = 2e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up_steps: int = 50
    gradient_limit: float = 5.0
    label_smoothing: float = 0.1
    average: float = 0.99
    """Decay of the moving average of weights, per step."""
    frozen_blocks: int = 3
    probe_size: int = 192
    """Side in pixels at which the first head is fitted."""

    def steps_per_epoch(self, photos: int) -> int:
        return photos // self.photos_per_step

    def epochs(self) -> int:
        return len(self.sizes) + len(self.finish_sizes)

    def is_finish(self, epoch: int) -> bool:
        return epoch >= len(self.sizes)

    def learning_rate_share(self, step: int, steps_per_epoch: int) -> float:
        """Twice: linear warm-up, then half a cosine that ends at zero with the last step."""
        main_steps = len(self.sizes) * steps_per_epoch
        if step < main_steps:
            return warmed_cosine(step, main_steps, self.warm_up_steps)
        finish_steps = len(self.finish_sizes) * steps_per_epoch
        return self.finish_learning_rate * warmed_cosine(step - main_steps, finish_steps, self.warm_up_steps)


def device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@torch.no_grad()
def pooled_features(model: ClothingModel, pixels: np.ndarray, size: int, batch: int = 32) -> np.ndarray:
    """uint8 [n, h, w, 3] -> float32 [n, FEATURES], each photo scaled to `size` pixels first."""
    model.eval()
    where = next(model.parameters()).device
    pooled = []
    for start in range(0, len(pixels), batch):
        photos = normalise(torch.from_numpy(np.array(pixels[start : start + batch])).to(where))
        photos = F.interpolate(photos, size=size, mode="bilinear", antialias=True)
        pooled.append(model.features(photos).mean((2, 3)).cpu().numpy())
    return np.concatenate(pooled)


def starting_weights(train: Split, recipe: Recipe, file: Path) -> dict[str, Tensor]:
    """ImageNet weights with a head fitted to their features by logistic regression; kept in `file`.

    All seeds start here: no random head spoils the features in the first steps, and the seeds end in one valley,
    so that the mean of their weights is a model too.
    """
    if not file.exists():
        model = ClothingModel(len(LABELS)).to(device(), memory_format=torch.channels_last)
        load_imagenet(model)
        print("fitting the first head on frozen features", file=sys.stderr, flush=True)
        features = pooled_features(model, train.pixels, recipe.probe_size)
        probe = LogisticRegression(C=0.03, max_iter=500).fit(features, train.labels)
        with torch.no_grad():
            model.head.weight.copy_(torch.from_numpy(probe.coef_))
            model.head.bias.copy_(torch.from_numpy(probe.intercept_))
        save(model.cpu().state_dict(), file)
    return torch.load(file, weights_only=True)


def save(state: object, file: Path) -> None:
    """Writes under another name and renames: a file that exists is whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    torch.save(state, unfinished)
    unfinished.rename(file)


def mean_weights(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of each weight over models of the same shape."""
    return {name: torch.stack([state[name].cpu() for state in states]).mean(0) for name in states[0]}


@torch.no_grad()
def predict(model: ClothingModel, pixels: np.ndarray, batch: int = 31) -> np.ndarray:
    """uint8 [n, h, w, 3] -> logits, float32 [n, classes]."""
    model.eval()
    where = next(model.parameters()).device
    batches = (np.array(pixels[start : start + batch]) for start in range(0, len(pixels), batch))
    return np.concatenate([model(normalise(torch.from_numpy(part).to(where))).cpu().numpy() for part in batches])


def training_batch(
    train: Split, rows: np.ndarray, epoch: int, recipe: Recipe, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Photos of `rows`, augmented and, before the finish, perhaps mixed; then a few pictures without clothes.

    @returns normalised float32 [n, 3, size, size], and targets float32 [n, classes] that sum to 1.
    """
    where = device()
    classes, size = len(LABELS), (recipe.sizes + recipe.finish_sizes)[epoch]
    views = augment(torch.from_numpy(train.pixels[rows]).to(where), size, rng)
    smooth, labels = recipe.label_smoothing, torch.from_numpy(train.labels[rows]).to(where)
    targets = F.one_hot(labels, classes).float() * (1 - smooth) + smooth / classes
    if not recipe.is_finish(epoch):
        views, targets = mix(views, targets, rng)
    parents = rng.integers(0, len(train.labels), recipe.outliers_per_step)
    drawn = np.stack([outlier(size, rng, np.array(train.pixels[parent])) for parent in parents])
    odd = torch.from_numpy(drawn).to(where).permute(0, 3, 1, 2).float()
    pixels = torch.cat([views, odd]).permute(0, 2, 3, 1).contiguous()
    return normalise(pixels), torch.cat([targets, torch.full((len(odd), classes), 1 / classes, device=where)])


def train_seed(seed: int, train: Split, validation: Split, recipe: Recipe, folder: Path) -> dict[str, Tensor]:
    """Trains one seed and returns its weights: the mean of the moving averages at the end of both descents.

    The state after each epoch is in `<folder>/seed-<seed>.pt`; a second call goes on from there and, as random
    numbers are drawn anew per epoch from seed and epoch, does what an uninterrupted run does. Validation is only
    looked at: no epoch is picked by it.
    """
    where = device()
    steps_per_epoch = recipe.steps_per_epoch(len(train.labels))
    model = ClothingModel(len(LABELS)).to(where, memory_format=torch.channels_last)
    model.load_state_dict(starting_weights(train, recipe, folder / "start.pt"))
    model.freeze_first(recipe.frozen_blocks)
    average = copy.deepcopy(model)
    head, biases, weights = [], [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            (head if name.startswith("head.") else biases if parameter.ndim == 1 else weights).append(parameter)
    groups = [
        {"params": weights, "peak": recipe.learning_rate, "weight_decay": recipe.weight_decay},
        {"params": biases, "peak": recipe.learning_rate, "weight_decay": 0.0},
        {"params": head, "peak": recipe.head_learning_rate, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)

    checkpoint, first_end = folder / f"seed-{seed}.pt", folder / f"seed-{seed}-first-end.pt"
    first_epoch, cpu_seconds = 0, 0.0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=where, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        first_epoch, cpu_seconds = state["epochs"], state["cpu_seconds"]

    for epoch in range(first_epoch, recipe.epochs()):
        started, started_cpu = time.monotonic(), time.process_time()
        rng = np.random.default_rng([seed, epoch])
        torch.manual_seed(seed * 1000 + epoch)
        order = rng.permutation(len(train.labels))
        losses = []
        model.train()
        for index in range(steps_per_epoch):
            step = epoch * steps_per_epoch + index
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * recipe.learning_rate_share(step, steps_per_epoch)
            rows = order[index * recipe.photos_per_step : (index + 1) * recipe.photos_per_step]
            inputs, targets = training_batch(train, np.sort(rows), epoch, recipe, rng)
            loss = F.cross_entropy(model(inputs), targets)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_limit)
            optimiser.step()
            # Early on the average follows closely; a plain 0.99 would remember the start for hundreds of steps.
            keep = min(recipe.average, (1 + step) / (10 + step))
            with torch.no_grad():
                for averaged, current in zip(average.parameters(), model.parameters(), strict=True):
                    averaged.lerp_(current, 1 - keep)
            losses.append(loss.item())
            if index % 20 == 19:
                left = (time.monotonic() - started) / (index + 1) * (steps_per_epoch - index - 1)
                print(
                    f"seed {seed} epoch {epoch + 1}/{recipe.epochs()} step {index + 1}/{steps_per_epoch}"
                    f" loss {np.mean(losses):.3f}, {left:.0f} s left of the epoch",
                    file=sys.stderr,
                    flush=True,
                )
        cpu_seconds += time.process_time() - started_cpu
        report = f"seed {seed} epoch {epoch + 1}: loss {np.mean(losses):.3f}, {cpu_seconds:.0f} cpu-s so far"
        if epoch % 3 == 2 or epoch >= recipe.epochs() - 2:
            right = (predict(average, validation.pixels).argmax(1) == validation.labels).mean()
            report += f", validation accuracy {right:.4f}"
        print(report, file=sys.stderr, flush=True)
        if epoch == len(recipe.sizes) - 1:
            save(average.state_dict(), first_end)
        save(
            {
                "model": model.state_dict(),
                "average": average.state_dict(),
                "optimiser": optimiser.state_dict(),
                "epochs": epoch + 1,
                "cpu_seconds": cpu_seconds,
            },
            checkpoint,
        )
    return mean_weights([torch.load(first_end, map_location="cpu", weights_only=True), average.state_dict()])
