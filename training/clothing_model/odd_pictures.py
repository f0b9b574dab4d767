"""Pictures a user may send by mistake: clothes badly shown, and things that are no clothes.

They judge the model and its threshold; none of them, and no code of `outliers.py`, which draws what is trained on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

# --- clothes, badly shown: the label still holds -------------------------------------------------------------------


def _cropped(picture: Image.Image, left: float, top: float, share: float) -> Image.Image:
    width, height = picture.size
    box = (left * width, top * height, (left + share) * width, (top + share) * height)
    return picture.crop(tuple(round(side) for side in box))


def _small(picture: Image.Image, longest: int) -> Image.Image:
    shrunk = picture.copy()
    shrunk.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return shrunk


def _scaled_light(picture: Image.Image, factor: float) -> Image.Image:
    return picture.point(lambda value: min(255, round(value * factor)))


def _noisy(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=np.float32)
    noise = np.random.default_rng(values.size).laplace(0, 25, values.shape)
    return Image.fromarray((values + noise).clip(0, 255).astype(np.uint8))


def _hard_jpeg(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=5)
    return Image.open(file).convert("RGB")


BADLY_SHOWN: dict[str, Callable[[Image.Image], Image.Image]] = {
    "upside down": lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    "turned left": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "dark (light x 0.2)": lambda picture: _scaled_light(picture, 0.2),
    "very dark (light x 0.05)": lambda picture: _scaled_light(picture, 0.05),
    "bright (light x 2.5)": lambda picture: _scaled_light(picture, 2.5),
    "gray": lambda picture: picture.convert("L").convert("RGB"),
    "middle half of each side": lambda picture: _cropped(picture, 0.25, 0.25, 0.5),
    "top left quarter": lambda picture: _cropped(picture, 0.0, 0.0, 0.5),
    "middle fifth of each side": lambda picture: _cropped(picture, 0.4, 0.4, 0.2),
    "small (64 px)": lambda picture: _small(picture, 64),
    "tiny (24 px)": lambda picture: _small(picture, 24),
    "blurred (radius 6 px)": lambda picture: picture.filter(ImageFilter.GaussianBlur(6)),
    "noisy": _noisy,
    "JPEG quality 5": _hard_jpeg,
}

# --- no clothes ----------------------------------------------------------------------------------------------------

SIDE = 320
"""Width and height in pixels of what is drawn, rendered or noise."""


def _tone(rng: np.random.Generator, low: int = 0, high: int = 255) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in rng.integers(low, high + 1, 3))
    return red, green, blue


def _house(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    draw.rectangle((0, 220, SIDE, SIDE), fill=(60, 150, 60))
    left, top = int(rng.integers(40, 100)), int(rng.integers(110, 150))
    draw.rectangle((left, top, left + 150, 260), fill=_tone(rng), outline=(0, 0, 0), width=3)
    draw.polygon([(left - 15, top), (left + 75, top - 70), (left + 165, top)], fill=_tone(rng), outline=(0, 0, 0))
    draw.rectangle((left + 60, 200, left + 90, 260), fill=_tone(rng), outline=(0, 0, 0))
    for window in (left + 15, left + 105):
        draw.rectangle((window, top + 25, window + 30, top + 55), fill=(200, 230, 250), outline=(0, 0, 0), width=2)
    draw.ellipse((250, 20, 300, 70), fill=(250, 220, 60))


def _face(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    draw.ellipse((60, 40, 260, 280), fill=_tone(rng, 120), outline=(0, 0, 0), width=4)
    for eye in (110, 180):
        draw.ellipse((eye, 120, eye + 30, 145), fill=(255, 255, 255), outline=(0, 0, 0), width=2)
        draw.ellipse((eye + 10, 126, eye + 20, 138), fill=(0, 0, 0))
    draw.line((160, 150, int(rng.integers(140, 180)), 190), fill=(0, 0, 0), width=3)
    draw.arc((110, 180, 210, 245), int(rng.integers(0, 30)), 170, fill=(160, 30, 30), width=5)


def _bar_chart(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    draw.line((30, 20, 30, 290, 300, 290), fill=(0, 0, 0), width=2)
    colour = _tone(rng)
    for index, height in enumerate(rng.integers(20, 260, 8)):
        draw.rectangle((42 + 32 * index, 290 - int(height), 64 + 32 * index, 289), fill=colour)


def _page(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    words = (
        "invoice total amount due of the paid on receipt number order date please keep this for your records".split()
    )
    font = ImageFont.load_default(size=int(rng.integers(11, 22)))
    for top in range(12, SIDE - 20, int(font.size * 1.4)):
        draw.text((14, top), " ".join(rng.choice(words, int(rng.integers(3, 8)))), fill=(20, 20, 30), font=font)


def _clock(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    draw.ellipse((30, 30, 290, 290), fill=(250, 250, 245), outline=_tone(rng), width=10)
    for hour in range(12):
        angle = hour * np.pi / 6
        draw.line(
            [(160 + radius * np.sin(angle), 160 - radius * np.cos(angle)) for radius in (100, 118)],
            fill=(0, 0, 0),
            width=4,
        )
    for length, width in ((65, 8), (95, 4)):
        angle = rng.uniform(0, 2 * np.pi)
        draw.line((160, 160, 160 + length * np.sin(angle), 160 - length * np.cos(angle)), fill=(0, 0, 0), width=width)


def _car(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    draw.rectangle((0, 230, SIDE, SIDE), fill=(110, 110, 110))
    colour = _tone(rng)
    draw.rounded_rectangle((30, 165, 290, 230), 20, fill=colour)
    draw.polygon([(80, 168), (115, 115), (215, 115), (250, 168)], fill=colour)
    draw.polygon([(95, 165), (120, 125), (160, 125), (160, 165)], fill=(190, 220, 240))
    draw.polygon([(168, 165), (168, 125), (208, 125), (233, 165)], fill=(190, 220, 240))
    for wheel in (75, 205):
        draw.ellipse((wheel, 205, wheel + 48, 253), fill=(20, 20, 20))
        draw.ellipse((wheel + 14, 219, wheel + 34, 239), fill=(180, 180, 180))


def _tree(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    def branch(x: float, y: float, angle: float, length: float) -> None:
        if length < 6:
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=leaves)
            return
        end_x, end_y = x + length * np.sin(angle), y - length * np.cos(angle)
        draw.line((x, y, end_x, end_y), fill=(90, 60, 30), width=max(1, int(length / 8)))
        for side in (-1, 1):
            branch(end_x, end_y, angle + side * rng.uniform(0.2, 0.6), length * rng.uniform(0.6, 0.8))

    leaves = _tone(rng, 30, 180)
    branch(160, 310, 0.0, 80)


def _map(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    for _ in range(9):
        if rng.random() < 0.5:
            draw.line((0, int(rng.integers(0, SIDE)), SIDE, int(rng.integers(0, SIDE))), fill=(255, 255, 255), width=9)
        else:
            draw.line((int(rng.integers(0, SIDE)), 0, int(rng.integers(0, SIDE)), SIDE), fill=(250, 220, 120), width=6)
    draw.ellipse((150, 120, 170, 140), fill=(220, 30, 30))


def drawn(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Simple pictures as a drawing program makes them: house, face, chart, page, clock, car, tree, map."""
    for motif in (_house, _face, _bar_chart, _page, _clock, _car, _tree, _map):
        for _ in range(6):
            picture = Image.new("RGB", (SIDE, SIDE), _tone(rng, 170))
            motif(ImageDraw.Draw(picture), rng)
            yield picture


def _balls(rng: np.random.Generator) -> np.ndarray:
    """Shaded balls over a checkered floor with a horizon, by ray casting."""
    down, across = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    ray = np.stack([across, -down, np.full_like(down, 0.9)], -1)
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    light = np.array([0.5, 0.8, -0.4]) / np.linalg.norm([0.5, 0.8, -0.4])
    picture = np.array(_tone(rng, 120)) * (1 - 0.5 * (0.5 - down[..., None]))
    reach = np.where(ray[..., 1] < -0.02, -1.0 / np.minimum(ray[..., 1], -0.02), np.inf)
    floor = np.isfinite(reach)
    spot = ray * np.where(floor, reach, 0)[..., None]
    squares = (np.floor(spot[..., 0] * 1.5) + np.floor(spot[..., 2] * 1.5)) % 2
    tones = np.where(squares[..., None] == 0, np.array(_tone(rng)), np.array(_tone(rng)))
    picture = np.where(floor[..., None], tones, picture)
    for _ in range(int(rng.integers(1, 5))):
        centre, radius = rng.uniform((-1, -0.6, 2.5), (1, 0.6, 5)), rng.uniform(0.3, 0.8)
        along = ray @ centre
        gap = along**2 - centre @ centre + radius**2
        hit = gap > 0
        point = ray * (along - np.sqrt(np.maximum(gap, 0)))[..., None]
        shade = np.maximum(((point - centre) / radius) @ light, 0.08)[..., None]
        picture = np.where(hit[..., None], np.array(_tone(rng, 60)) * shade + 200 * shade**40, picture)
    return picture


def _mandelbrot(rng: np.random.Generator) -> np.ndarray:
    centre = complex(*(np.array([-0.7436, 0.1318]) + rng.normal(0, 0.004, 2)))
    down, across = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j] * 10 ** rng.uniform(-2.5, 0)
    start = centre + across + 1j * down
    value, count = np.zeros_like(start), np.zeros(start.shape)
    for _ in range(60):
        inside = np.abs(value) < 4
        value = np.where(inside, value * value + start, value)
        count += inside
    phase = rng.uniform(0, 6, 3)
    return 127 + 127 * np.sin(count[..., None] * 0.3 + phase)


def _hills(rng: np.random.Generator) -> np.ndarray:
    """Rows of hills under a sky, nearer ones darker."""
    picture = np.linspace(np.array(_tone(rng, 120)), np.array(_tone(rng, 180)), SIDE)[:, None].repeat(SIDE, 1)
    columns = np.arange(SIDE)
    for layer in range(5):
        wave = sum(
            rng.normal(0, 14 / order) * np.sin(columns * order / 45 + rng.uniform(0, 6)) for order in (1, 2, 4, 8)
        )
        edge = 120 + 38 * layer + wave
        below = np.arange(SIDE)[:, None] > edge
        picture = np.where(
            below[..., None], np.array([70, 120, 80]) * (1 - 0.15 * layer) + rng.normal(0, 8, 3), picture
        )
    return picture


def rendered(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Pictures as a program computes them: shaded balls on a floor, a fractal, hills under a sky."""
    for scene in (_balls, _mandelbrot, _hills):
        for _ in range(14):
            yield Image.fromarray(scene(rng).clip(0, 255).astype(np.uint8))


def noise(rng: np.random.Generator) -> Iterator[Image.Image]:
    """Salt and pepper, television snow in lines, long wandering walks, plasma, bar-code like columns."""
    for _ in range(9):
        grain = rng.random((SIDE, SIDE, 1)) < rng.uniform(0.02, 0.5)
        salt = np.where(rng.random((SIDE, SIDE, 1)) < 0.5, 0, 255)
        yield Image.fromarray(np.where(grain, salt, np.array(_tone(rng))).astype(np.uint8))
        lines = rng.exponential(60, (SIDE, SIDE)) * rng.uniform(0.3, 1.5, (SIDE, 1))
        yield Image.fromarray(lines.clip(0, 255).astype(np.uint8)).convert("RGB")
        walk = rng.normal(0, 6, (SIDE, SIDE, 3)).cumsum(1) + rng.normal(0, 6, (SIDE, 1, 3)).cumsum(0) + 128
        yield Image.fromarray(walk.clip(0, 255).astype(np.uint8))
        plasma = np.zeros((SIDE, SIDE, 3))
        for cells in (2, 4, 8, 16):
            coarse = Image.fromarray(rng.integers(0, 256, (cells + 1, cells + 1, 3), dtype=np.uint8))
            plasma += np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=float) / cells
        yield Image.fromarray((plasma / 1.875).clip(0, 255).astype(np.uint8))
        columns = np.repeat(rng.integers(0, 2, 80) * 235, 4)[:SIDE]
        yield Image.fromarray(np.broadcast_to(columns.astype(np.uint8), (SIDE, SIDE)).copy()).convert("RGB")


PACKAGED_PHOTOS = {
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
    "skimage": (
        "data",
        (
            "brick.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "color.png",
            "grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png",
            "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
        ),
    ),
}  # fmt: skip
"""Pictures that ship in Python packages and show no clothes; people (astronaut, camera, ...) are left out."""


def packaged() -> Iterator[tuple[str, Image.Image]]:
    """Yields name and picture of PACKAGED_PHOTOS."""
    import importlib.util

    for package, (folder, names) in PACKAGED_PHOTOS.items():
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"package {package} is missing, expected what requirements.txt lists")
        for name in names:
            yield f"{package}/{name}", Image.open(Path(spec.origin).parent / folder / name).convert("RGB")


def quarters(picture: Image.Image) -> Iterator[Image.Image]:
    """The four quarters of a picture."""
    for top in (0.0, 0.5):
        for left in (0.0, 0.5):
            yield _cropped(picture, left, top, 0.5)


def without_clothes(seed: int = 2026) -> dict[str, list[Image.Image]]:
    """Pictures that show no clothes, by kind; the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    photos = [picture for _, picture in packaged()]
    return {
        "noise": list(noise(rng)),
        "drawn": list(drawn(rng)),
        "rendered": list(rendered(rng)),
        "photos and scans of other things": photos,
        "quarters of those": [quarter for photo in photos for quarter in quarters(photo)],
    }
