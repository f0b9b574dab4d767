"""Adds BMP, TIFF and AVIF files to pictures/: each kind that Pillow takes, and what is refused.

    python make_rare_pictures.py     after make_pictures.py, which empties the folder
"""

import struct

import numpy as np
from PIL import Image, TiffImagePlugin
from make_pictures import PICTURES, SCENE, encode, exif_segment, jpeg, p3_profile, scene, with_alpha

SMALL = scene(31, 21)
GRAY = SMALL.convert("L")


# --- BMP

def bmp(info: bytes, palette: bytes, data: bytes, offset: int | None = None) -> bytes:
    start = 14 + len(info) + len(palette) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(palette) + len(data), 0, 0, start) + info + palette + data


def info(width: int, height: int, bits: int, compression: int = 0, colours: int = 0, size: int = 40, tail: bytes = b"") -> bytes:
    body = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, 0, 2835, 2835, colours, 0) + tail
    return body + bytes(max(0, size - len(body)))


def rows(values: np.ndarray, bits: int, top_down: bool = False) -> bytes:
    """Indices of `bits` each, rows padded to four bytes, from the bottom."""
    lines = []
    for row in values if top_down else values[::-1]:
        spread = ((row[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)
        line = np.packbits(spread.reshape(-1)).tobytes()
        lines.append(line + bytes(-len(line) % 4))
    return b"".join(lines)


def pixels(values: np.ndarray, top_down: bool = False) -> bytes:
    """Little-endian integers or byte groups, rows padded to four bytes."""
    lines = [row.tobytes() for row in (values if top_down else values[::-1])]
    return b"".join(line + bytes(-len(line) % 4) for line in lines)


def rle8(values: np.ndarray) -> bytes:
    out = b""
    for number, row in enumerate(values[::-1]):
        at = 0
        while at < len(row):
            run = 1
            while at + run < len(row) and row[at + run] == row[at] and run < 255:
                run += 1
            if run == 1 and at + 5 < len(row):
                out += bytes([0, 5, *row[at : at + 5], 0])
                at += 5
            else:
                out += bytes([run, row[at]])
                at += run
        out += b"\0\0" if number % 2 else b"\0\0"
    return out + b"\0\1"


def rle4(values: np.ndarray) -> bytes:
    out = b""
    for row in values[::-1]:
        for at in range(0, len(row) - 4, 4):
            out += bytes([0, 4, row[at] << 4 | row[at + 1], row[at + 2] << 4 | row[at + 3]])
        rest = row[(len(row) - 1) // 4 * 4 :]
        for value in rest:
            out += bytes([1, value << 4])
        out += b"\0\0"
    return out + b"\0\1"


def bmps() -> dict[str, bytes]:
    rgb = np.asarray(SMALL)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    index8 = np.asarray(SMALL.quantize(200))
    colours8 = SMALL.quantize(200).getpalette()[:600]
    bgrx = lambda colours: b"".join(bytes([*colours[i : i + 3][::-1], 0]) for i in range(0, len(colours), 3))
    index4 = (np.add.outer(np.arange(21), np.arange(31)) % 16).astype(np.uint8)
    colours4 = [(37 * i + 11) % 256 for i in range(48)]
    index1 = (np.add.outer(np.arange(21), np.arange(31)) % 3 == 0).astype(np.uint8)
    word555 = ((rgb[..., 0].astype(np.uint16) >> 3) << 10) | ((rgb[..., 1].astype(np.uint16) >> 3) << 5) | (rgb[..., 2] >> 3)
    word565 = ((rgb[..., 0].astype(np.uint16) >> 3) << 11) | ((rgb[..., 1].astype(np.uint16) >> 2) << 5) | (rgb[..., 2] >> 3)
    alpha = np.full((21, 31, 1), 77, np.uint8)
    bgra = np.concatenate([bgr, alpha], -1)
    masks = lambda *values: struct.pack("<" + "I" * len(values), *values)
    old = struct.pack("<IHHHH", 12, 31, 21, 1, 24)
    old8 = struct.pack("<IHHHH", 12, 31, 21, 1, 4)
    bgr3 = b"".join(bytes(colours4[i : i + 3][::-1]) for i in range(0, 48, 3))
    full8 = bgrx(colours8) + bytes(4 * 56)
    return {
        "bmp-24-bit.bmp": encode(SMALL, "BMP"),
        "bmp-24-bit-top-down.bmp": bmp(info(31, -21, 24), b"", pixels(bgr, True)),
        "bmp-32-bit.bmp": bmp(info(31, 21, 32), b"", pixels(bgra)),
        "bmp-32-bit-bitfields.bmp": bmp(info(31, 21, 32, 3) + masks(0xFF0000, 0xFF00, 0xFF), b"", pixels(bgra)),
        "bmp-32-bit-v4-rgba.bmp": bmp(
            info(31, 21, 32, 3, size=108, tail=masks(0xFF, 0xFF00, 0xFF0000, 0xFF000000)), b"",
            pixels(np.concatenate([rgb, alpha], -1)),
        ),
        "bmp-32-bit-v5-xbgr.bmp": bmp(
            info(31, 21, 32, 3, size=124, tail=masks(0xFF000000, 0xFF0000, 0xFF00, 0)), b"",
            pixels(np.concatenate([alpha, bgr], -1)),
        ),
        "bmp-16-bit-555.bmp": bmp(info(31, 21, 16), b"", pixels(word555.astype("<u2"))),
        "bmp-16-bit-565.bmp": bmp(info(31, 21, 16, 3) + masks(0xF800, 0x7E0, 0x1F), b"", pixels(word565.astype("<u2"))),
        "bmp-8-bit.bmp": bmp(info(31, 21, 8), full8, rows(index8, 8)),
        "bmp-8-bit-200-colours.bmp": bmp(info(31, 21, 8, colours=200), bgrx(colours8), rows(index8, 8)),
        "bmp-8-bit-gray.bmp": encode(GRAY, "BMP"),
        "bmp-8-bit-rle.bmp": bmp(info(31, 21, 8, 1), full8, rle8(index8)),
        "bmp-8-bit-rle-moves.bmp": bmp(
            info(31, 21, 8, 1), full8, bytes([9, 7, 0, 2, 5, 3, 4, 9, 0, 0, 40, 3, 0, 0]) + b"\0\2\0\x0f" + bytes([31, 5] * 6) + b"\0\1"
        ),
        "bmp-4-bit.bmp": bmp(info(31, 21, 4), bgrx(colours4), rows(index4, 4)),
        "bmp-4-bit-rle.bmp": bmp(info(31, 21, 4, 2), bgrx(colours4), rle4(index4)),
        "bmp-4-bit-os2.bmp": bmp(old8, bgr3, rows(index4, 4)),
        "bmp-1-bit.bmp": bmp(info(31, 21, 1), bytes([10, 200, 30, 0, 240, 20, 90, 0]), rows(index1, 1)),
        "bmp-1-bit-black-white.bmp": encode(SMALL.convert("1"), "BMP"),
        "bmp-24-bit-os2.bmp": bmp(old, b"", pixels(bgr)),
        "broken-bmp-cut.bmp": encode(SMALL, "BMP")[:-700],
        "broken-bmp-rle-cut.bmp": bmp(info(31, 21, 8, 1), full8, rle8(index8)[:300]),
        "broken-bmp-masks.bmp": bmp(info(31, 21, 32, 3) + masks(0xFF00, 0xFF0000, 0xFF), b"", pixels(bgra)),
        "bomb-bmp.bmp": bmp(info(60000, 60000, 24), b"", b""),
    }  # fmt: skip


# --- TIFF

def tiffs() -> dict[str, bytes]:
    deep = (np.asarray(GRAY).astype(np.uint16) * 5 + 17)
    with_tags = lambda **tags: {"tiffinfo": make_tags(**tags)}
    files = {f"tiff-{name}.tiff": encode(SCENE, "TIFF", compression=code) for name, code in
             {"raw": None, "lzw": "tiff_lzw", "deflate": "tiff_adobe_deflate", "packbits": "packbits", "jpeg": "jpeg"}.items()}
    files |= {
        "tiff-lzw-predictor.tiff": encode(SCENE, "TIFF", compression="tiff_lzw", **with_tags(predictor=2)),
        "tiff-old-deflate.tiff": encode(SCENE, "TIFF", compression="tiff_deflate"),
        "tiff-strips.tiff": encode(SCENE, "TIFF", compression="tiff_lzw", strip_size=97 * 3 * 7),
        "tiff-jpeg-strips.tiff": encode(SCENE, "TIFF", compression="jpeg", strip_size=97 * 3 * 16, quality=70),
        "tiff-jpeg-gray.tiff": encode(SCENE.convert("L"), "TIFF", compression="jpeg"),
        "tiff-jpeg-ycbcr.tiff": ycbcr_jpeg_tiff(),
        "tiff-gray.tiff": encode(GRAY, "TIFF"),
        "tiff-gray-alpha.tiff": encode(with_alpha(SCENE.convert("L")), "TIFF", compression="tiff_lzw"),
        "tiff-rgba.tiff": encode(with_alpha(SCENE), "TIFF", compression="tiff_adobe_deflate"),
        "tiff-palette.tiff": encode(SCENE.quantize(200), "TIFF", compression="tiff_lzw"),
        "tiff-1-bit.tiff": encode(SMALL.convert("1"), "TIFF"),
        "tiff-cmyk.tiff": encode(SCENE.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "tiff-16-bit-gray.tiff": encode(Image.fromarray(deep), "TIFF"),
        "tiff-big-endian.tiff": big_endian(np.asarray(SMALL), 8, 2, [1]),
        "tiff-big-endian-16-bit-gray.tiff": big_endian(deep[..., None], 16, 1, [1]),
        "tiff-16-bit-rgb.tiff": big_endian((np.asarray(SMALL).astype(np.uint16) * 257 + 99), 16, 2, [1]),
        "tiff-white-is-zero.tiff": big_endian(np.asarray(GRAY)[..., None], 8, 0, [1]),
        "tiff-planar.tiff": big_endian(np.asarray(SMALL), 8, 2, [2]),
        "tiff-tiled.tiff": tiled(np.asarray(SCENE)),
        "tiff-4-bit-gray.tiff": big_endian(np.asarray(GRAY)[..., None] >> 4, 4, 1, [1]),
        "tiff-icc.tiff": encode(SCENE, "TIFF", compression="tiff_lzw", icc_profile=p3_profile()),
        "tiff-two-pages.tiff": encode(SMALL, "TIFF", save_all=True, append_images=[SMALL.rotate(180)]),
        "broken-tiff-cut.tiff": encode(SCENE, "TIFF", compression="tiff_lzw")[:4000],
        "refused-tiff-float.tiff": encode(Image.fromarray(np.asarray(GRAY).astype(np.float32)), "TIFF"),
        "refused-tiff-fax.tiff": encode(SMALL.convert("1"), "TIFF", compression="group4"),
    }
    for turn in (3, 6, 7):
        files[f"tiff-orientation-{turn}.tiff"] = encode(SMALL, "TIFF", **with_tags(orientation=turn))
    return files


def make_tags(predictor: int | None = None, orientation: int | None = None):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if predictor is not None:
        tags[317] = predictor
    if orientation is not None:
        tags[274] = orientation
    return tags


def directory(entries: list[tuple[int, int, list[int]]], at: int, order: str) -> tuple[bytes, bytes]:
    """An IFD at an address, and the values behind it that do not fit its entries."""
    head, tail = struct.pack(order + "H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, kind, values in sorted(entries):
        packed = struct.pack(order + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(packed) <= 4:
            head += struct.pack(order + "HHI", tag, kind, len(values)) + packed + bytes(4 - len(packed))
        else:
            head += struct.pack(order + "HHII", tag, kind, len(values), behind + len(tail))
            tail += packed
    return head + bytes(4), tail


def big_endian(values: np.ndarray, depth: int, photometric: int, planar: list[int]) -> bytes:
    """Uncompressed, Motorola order; planar 2 stores each channel by itself."""
    height, width, samples = values.shape
    if depth == 16:
        values = values.astype(">u2")
    planes = [values] if planar[0] == 1 else [values[..., c : c + 1] for c in range(samples)]
    if depth == 4:
        nibbles = np.pad(values[..., 0], ((0, 0), (0, width % 2)))
        data = [(nibbles[:, ::2] << 4 | nibbles[:, 1::2]).astype(np.uint8).tobytes()]
    else:
        data = [np.ascontiguousarray(plane).tobytes() for plane in planes]
    offsets, at = [], 8
    for part in data:
        offsets.append(at)
        at += len(part)
    at += at % 2
    entries = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [depth] * samples), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, offsets), (277, 3, [samples]), (278, 3, [height]), (279, 4, [len(part) for part in data]), (284, 3, planar),
    ]  # fmt: skip
    head, tail = directory(entries, at, ">")
    body = b"".join(data)
    return b"MM\0*" + struct.pack(">I", at) + body + bytes(at - 8 - len(body)) + head + tail


def tiled(values: np.ndarray) -> bytes:
    """Uncompressed tiles of 32x16, Intel order."""
    height, width, _ = values.shape
    data = []
    for y in range(0, height, 16):
        for x in range(0, width, 32):
            tile = np.zeros((16, 32, 3), np.uint8)
            part = values[y : y + 16, x : x + 32]
            tile[: part.shape[0], : part.shape[1]] = part
            data.append(tile.tobytes())
    at = 8 + sum(map(len, data))
    offsets = [8 + 1536 * index for index in range(len(data))]
    entries = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [8] * 3), (259, 3, [1]), (262, 3, [2]), (277, 3, [3]),
        (322, 3, [32]), (323, 3, [16]), (324, 4, offsets), (325, 4, [1536] * len(data)),
    ]  # fmt: skip
    head, tail = directory(entries, at, "<")
    return b"II*\0" + struct.pack("<I", at) + b"".join(data) + head + tail


def ycbcr_jpeg_tiff() -> bytes:
    """One strip, a whole JPEG with 4:2:0 chroma."""
    data = jpeg(SCENE, subsampling=2)
    at = 8 + len(data) + len(data) % 2
    entries = [
        (256, 3, [97]), (257, 3, [63]), (258, 3, [8] * 3), (259, 3, [7]), (262, 3, [6]), (273, 4, [8]), (277, 3, [3]),
        (278, 3, [63]), (279, 4, [len(data)]), (530, 3, [2, 2]),
    ]  # fmt: skip
    head, tail = directory(entries, at, "<")
    return b"II*\0" + struct.pack("<I", at) + data + bytes(len(data) % 2) + head + tail


# --- AVIF

def avifs() -> dict[str, bytes]:
    files = {
        "avif-420.avif": encode(SCENE, "AVIF", quality=80, subsampling="4:2:0"),
        "avif-422.avif": encode(SCENE, "AVIF", quality=80, subsampling="4:2:2"),
        "avif-444.avif": encode(SCENE, "AVIF", quality=80, subsampling="4:4:4"),
        "avif-quality-40.avif": encode(SCENE, "AVIF", quality=40),
        "avif-lossless.avif": encode(SCENE, "AVIF", quality=100, subsampling="4:4:4"),
        "avif-limited-range.avif": encode(SCENE, "AVIF", quality=80, range="limited"),
        "avif-gray.avif": encode(SCENE.convert("L"), "AVIF", quality=80),
        "avif-alpha.avif": encode(with_alpha(SCENE), "AVIF", quality=80),
        "avif-animated.avif": encode(SCENE, "AVIF", quality=80, save_all=True, append_images=[SCENE.rotate(180)]),
        "avif-400x533.avif": encode(scene(400, 533), "AVIF", quality=75),
    }
    for turn in range(2, 9):
        files[f"avif-orientation-{turn}.avif"] = encode(SMALL, "AVIF", quality=80, exif=exif_segment(turn))
    whole = files["avif-420.avif"]
    files["broken-avif-cut.avif"] = whole[: len(whole) // 2]
    return files


if __name__ == "__main__":
    for name in ("refused.tiff", "refused.bmp", "refused.avif"):
        (PICTURES / name).unlink(missing_ok=True)
    for name, data in {**bmps(), **tiffs(), **avifs()}.items():
        (PICTURES / name).write_bytes(data)
