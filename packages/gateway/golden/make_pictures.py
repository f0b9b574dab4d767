"""Writes pictures/: one small picture of each kind that people upload. Deterministic for the pinned versions."""

import io
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import simplejpeg
from PIL import Image, ImageDraw, PngImagePlugin

PICTURES = Path(__file__).parent / "pictures"


def scene(width: int, height: int) -> Image.Image:
    """Smooth colours, hard edges and noise: what resizing and chroma subsampling treat differently."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    noise = np.random.default_rng(7).integers(-18, 19, (height, width, 3))
    pixels = np.stack(
        [
            255 * x / max(1, width - 1),
            128 + 120 * np.sin(x / 7) * np.cos(y / 5),
            255 - 255 * y / max(1, height - 1),
        ],
        axis=-1,
    )
    image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.2, height * 0.2, width * 0.7, height * 0.9), fill=(250, 30, 20))
    draw.rectangle((width * 0.5, height * 0.1, width * 0.9, height * 0.4), fill=(10, 20, 240))
    draw.line((0, 0, width, height), fill=(255, 255, 255), width=2)
    return image


SCENE = scene(97, 63)
ALPHA = Image.fromarray((np.add.outer(np.arange(63) * 3, np.arange(97) * 2) % 256).astype(np.uint8))


def encode(image: Image.Image, format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_alpha(image: Image.Image) -> Image.Image:
    result = image.copy()
    result.putalpha(ALPHA)
    return result


# --- JPEG

def jpeg(image: Image.Image = SCENE, **options) -> bytes:
    return encode(image, "JPEG", **{"quality": 88, **options})


def sampled(subsampling: str) -> bytes:
    return simplejpeg.encode_jpeg(np.ascontiguousarray(SCENE), 88, "RGB", subsampling)


def tool(command: list[str], source: bytes) -> bytes:
    return subprocess.run(command, input=source, capture_output=True, check=True).stdout


def without_marker(data: bytes, marker: int) -> bytes:
    """The JPEG without its segments of that marker."""
    at, kept = 2, [data[:2]]
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != marker:
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, data[at:]])


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + data[2:]


def exif(orientation: int, endian: str = "<") -> bytes:
    """A TIFF of one IFD: Make, then Orientation as SHORT."""
    head = (b"II*\0" if endian == "<" else b"MM\0*") + struct.pack(endian + "I", 8)
    make = struct.pack(endian + "HHI", 0x010F, 2, 4) + b"abc\0"
    turn = struct.pack(endian + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return head + struct.pack(endian + "H", 2) + make + turn + struct.pack(endian + "I", 0)


def exif_segment(orientation: int, endian: str = "<") -> bytes:
    return b"Exif\0\0" + exif(orientation, endian)


XMP_TURNED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def jpegs() -> dict[str, bytes]:
    cmyk = jpeg(SCENE.convert("CMYK"))
    adobe = cmyk.index(b"Adobe")
    ycck = cmyk[: adobe + 11] + b"\x02" + cmyk[adobe + 12 :]
    plain = jpeg(subsampling=2)
    files = {
        "jpeg-420.jpg": plain,
        "jpeg-422.jpg": jpeg(subsampling=1),
        "jpeg-444.jpg": jpeg(subsampling=0),
        "jpeg-440.jpg": sampled("440"),
        "jpeg-411.jpg": sampled("411"),
        "jpeg-quality-30.jpg": jpeg(quality=30),
        "jpeg-quality-100.jpg": jpeg(quality=100, subsampling=0),
        "jpeg-optimized.jpg": jpeg(optimize=True),
        "jpeg-progressive-420.jpg": jpeg(progressive=True, subsampling=2),
        "jpeg-progressive-444.jpg": jpeg(progressive=True, subsampling=0),
        "jpeg-progressive-gray.jpg": jpeg(SCENE.convert("L"), progressive=True),
        "jpeg-progressive-restarts.jpg": jpeg(progressive=True, subsampling=2, restart_marker_blocks=5),
        "jpeg-gray.jpg": jpeg(SCENE.convert("L")),
        "jpeg-rgb-without-ycc.jpg": jpeg(keep_rgb=True),
        "jpeg-restart-rows.jpg": jpeg(restart_marker_rows=1),
        "jpeg-restart-3-blocks.jpg": jpeg(restart_marker_blocks=3),
        "jpeg-cmyk-adobe.jpg": cmyk,
        "jpeg-cmyk-without-adobe.jpg": without_marker(cmyk, 0xEE),
        "jpeg-ycck-adobe.jpg": ycck,
        "jpeg-cmyk-progressive.jpg": jpeg(SCENE.convert("CMYK"), progressive=True),
        "jpeg-arithmetic.jpg": tool(["cjpeg", "-quality", "88", "-arithmetic"], encode(SCENE, "PPM")),
        "jpeg-arithmetic-progressive.jpg": tool(["jpegtran", "-arithmetic", "-progressive"], plain),
        "jpeg-icc-display-p3.jpg": jpeg(icc_profile=p3_profile()),
        "jpeg-gray-icc.jpg": jpeg(SCENE.convert("L"), icc_profile=p3_profile()),
        "jpeg-trailing-bytes.jpg": plain + b"trailing words after the end marker" * 9,
        "jpeg-stray-bytes-between-markers.jpg": plain[:20] + b"\0\0\0" + plain[20:],
        "jpeg-1x1.jpg": jpeg(scene(1, 1)),
        "jpeg-7x5.jpg": jpeg(scene(7, 5)),
        "jpeg-1x500.jpg": jpeg(scene(1, 500)),
        "jpeg-500x1.jpg": jpeg(scene(500, 1)),
        "jpeg-400x533.jpg": jpeg(scene(400, 533), quality=80),
        "jpeg-12-megapixels.jpg": jpeg(large(), quality=60, optimize=True),
        "exif-corrupt.jpg": with_segment(plain, 0xE1, b"Exif\0\0garbage, no TIFF here"),
        "exif-cut-short.jpg": with_segment(plain, 0xE1, exif_segment(6)[:20]),
        "exif-out-of-range.jpg": with_segment(plain, 0xE1, exif_segment(9)),
        "exif-6-big-endian.jpg": with_segment(plain, 0xE1, exif_segment(6, ">")),
        "xmp-6.jpg": with_segment(plain, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP_TURNED),
    }
    for orientation in range(1, 9):
        files[f"exif-{orientation}.jpg"] = with_segment(plain, 0xE1, exif_segment(orientation))
    return files


def p3_profile() -> bytes:
    """A profile that would change colours if anything applied it: sRGB's with red and blue swapped."""
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    # The time of its making.
    profile[24:36] = bytes(12)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def large() -> Image.Image:
    """12 megapixels of flat content, so that the file stays small."""
    image = Image.new("RGB", (4000, 3000), (90, 140, 200))
    draw = ImageDraw.Draw(image)
    draw.polygon([(400, 2900), (2000, 100), (3700, 2800)], fill=(220, 60, 40))
    draw.ellipse((2500, 300, 3400, 1200), fill=(240, 240, 30))
    return image


# --- PNG

def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(width: int, height: int, depth: int, colour: int, rows: list[bytes], before: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def packed_rows(values: np.ndarray, bits: int) -> list[bytes]:
    spread = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1)).tobytes() for row in spread.astype(np.uint8)]


def interlaced_png(values: np.ndarray) -> bytes:
    """Adam7 over uint8 RGB."""
    height, width, _ = values.shape
    body = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for row in values[y0::dy, x0::dx]:
            if row.size:
                body += b"\0" + row.tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b"")


def pngs() -> dict[str, bytes]:
    gray = np.asarray(SCENE.convert("L"))
    rgb = np.asarray(SCENE)
    small = scene(31, 21)
    deep = (np.asarray(small).astype(np.uint32) * 257 + np.arange(21)[:, None, None] * 31) % 65536
    deep = deep.astype(np.uint16)
    dim = (np.asarray(small.convert("L")).astype(np.uint16) * 2)[..., None]
    alpha16 = np.full((21, 31, 1), 30000, np.uint16)
    palette = SCENE.quantize(200)
    rows16 = lambda values: [row.astype(">u2").tobytes() for row in values]
    short_palette = chunk(b"PLTE", bytes(range(30)))
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP_TURNED.decode())
    first, second = small.convert("RGB"), small.rotate(180)
    return {
        "png-rgb.png": encode(small, "PNG"),
        "png-rgb-trns.png": encode(small, "PNG", transparency=small.getpixel((3, 3))),
        "png-rgba.png": encode(with_alpha(SCENE), "PNG"),
        "png-gray.png": encode(SCENE.convert("L"), "PNG"),
        "png-gray-trns.png": encode(SCENE.convert("L"), "PNG", transparency=100),
        "png-gray-alpha.png": encode(with_alpha(SCENE.convert("L")), "PNG"),
        "png-1-bit.png": encode(SCENE.convert("1"), "PNG"),
        "png-1-bit-trns.png": encode(SCENE.convert("1"), "PNG", transparency=0),
        "png-2-bit-gray.png": png(97, 63, 2, 0, packed_rows(gray >> 6, 2)),
        "png-4-bit-gray.png": png(97, 63, 4, 0, packed_rows(gray >> 4, 4)),
        "png-palette.png": encode(palette, "PNG"),
        "png-palette-trns.png": encode(palette, "PNG", transparency=bytes(range(200))),
        "png-palette-1-bit.png": encode(SCENE.quantize(2), "PNG", bits=1),
        "png-palette-2-bit.png": encode(SCENE.quantize(4), "PNG", bits=2),
        "png-palette-4-bit.png": encode(SCENE.quantize(16), "PNG", bits=4),
        "png-palette-too-short.png": png(40, 8, 8, 3, [bytes(range(40))] * 8, short_palette),
        "png-16-bit-gray.png": png(31, 21, 16, 0, rows16(deep[..., :1])),
        "png-16-bit-gray-dim.png": png(31, 21, 16, 0, rows16(dim)),
        "png-16-bit-gray-alpha.png": png(31, 21, 16, 4, rows16(np.concatenate([deep[..., :1], alpha16], -1))),
        "png-16-bit-rgb.png": png(31, 21, 16, 2, rows16(deep)),
        "png-16-bit-rgba.png": png(31, 21, 16, 6, rows16(np.concatenate([deep, alpha16], -1))),
        "png-interlaced.png": interlaced_png(rgb[:21, :31]),
        "png-gamma.png": png(31, 21, 8, 2, [row.tobytes() for row in rgb[:21, :31]], chunk(b"gAMA", struct.pack(">I", 100000))),
        "png-icc.png": encode(small, "PNG", icc_profile=p3_profile()),
        "png-gray-icc.png": encode(small.convert("L"), "PNG", icc_profile=p3_profile()),
        "png-animated.png": encode(first, "PNG", save_all=True, append_images=[second], duration=100),
        "png-exif-6.png": encode(small, "PNG", exif=exif_segment(6)),
        "png-xmp-6.png": encode(small, "PNG", pnginfo=info),
        "png-1x1.png": encode(scene(1, 1), "PNG"),
        "png-named.jpg": encode(small, "PNG"),
    }


# --- WebP

def riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def partial_frame_webp(frame: bytes, flags: int) -> bytes:
    """An animation whose first frame covers only (10, 6) to (41, 27) of a canvas of 60x40."""
    bitstream = frame[12:]
    where = u24(10 // 2) + u24(6 // 2) + u24(30) + u24(20) + u24(100) + bytes([0])
    canvas = bytes([flags, 0, 0, 0]) + u24(59) + u24(39)
    return riff([(b"VP8X", canvas), (b"ANIM", bytes([50, 60, 70, 255, 0, 0])), (b"ANMF", where + bitstream)])


def webps() -> dict[str, bytes]:
    small = scene(31, 21)
    clear = small.copy()
    clear.putalpha(ALPHA.crop((0, 0, 31, 21)))
    frames = [SCENE, SCENE.rotate(180)]
    seen_through = [with_alpha(frame) for frame in frames]
    return {
        "webp-lossy.webp": encode(SCENE, "WEBP", quality=80),
        "webp-lossless.webp": encode(SCENE, "WEBP", lossless=True),
        "webp-lossy-alpha.webp": encode(with_alpha(SCENE), "WEBP", quality=80),
        "webp-lossy-alpha-exact.webp": encode(with_alpha(SCENE), "WEBP", quality=80, exact=True),
        "webp-lossless-alpha.webp": encode(with_alpha(SCENE), "WEBP", lossless=True),
        "webp-lossless-alpha-exact.webp": encode(with_alpha(SCENE), "WEBP", lossless=True, exact=True),
        "webp-gray.webp": encode(SCENE.convert("L"), "WEBP", quality=70),
        "webp-animated.webp": encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=80),
        "webp-animated-alpha.webp": encode(
            seen_through[0], "WEBP", save_all=True, append_images=seen_through[1:], lossless=True, exact=True
        ),
        "webp-partial-frame.webp": partial_frame_webp(encode(small, "WEBP", quality=80), 0x02),
        "webp-partial-frame-alpha.webp": partial_frame_webp(
            encode(clear, "WEBP", lossless=True, exact=True), 0x12
        ),
        "webp-icc.webp": encode(SCENE, "WEBP", quality=80, icc_profile=p3_profile()),
        "webp-exif-6.webp": encode(SCENE, "WEBP", quality=80, exif=exif_segment(6)),
        "webp-xmp-6.webp": encode(SCENE, "WEBP", quality=80, xmp=XMP_TURNED),
        "webp-1x1.webp": encode(scene(1, 1), "WEBP", quality=80),
    }


# --- GIF

def gif(width, height, palette: bytes | None, frames: list[bytes], background: int = 0) -> bytes:
    flags = 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, background, 0) + (palette or b"") + b"".join(frames) + b";"


def gif_frame(x: int, y: int, values: np.ndarray, bits: int, transparent: int | None, palette: bytes | None = None) -> bytes:
    """One frame, LZW without compression: a clear code before the table would grow past the first code size."""
    height, width = values.shape
    clear, end, size = 1 << bits, (1 << bits) + 1, bits + 1
    codes = []
    for index, value in enumerate(values.reshape(-1)):
        if index % (clear - 2) == 0:
            codes.append(clear)
        codes.append(int(value))
    codes.append(end)
    packed = sum(code << (size * index) for index, code in enumerate(codes))
    data = packed.to_bytes((size * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    control = b"" if transparent is None else b"!\xf9\x04" + bytes([1, 0, 0, transparent]) + b"\0"
    flags = 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0
    return control + b"," + struct.pack("<HHHHB", x, y, width, height, flags) + (palette or b"") + bytes([bits]) + blocks + b"\0"


def gifs() -> dict[str, bytes]:
    palette = SCENE.quantize(64)
    colours = bytes((37 * i + 11) % 256 for i in range(48))
    indices = (np.add.outer(np.arange(20), np.arange(30)) % 16).astype(np.uint8)
    gray = np.arange(240, dtype=np.uint8).reshape(12, 20)
    gray_palette = bytes(i for i in range(256) for _ in range(3))
    frames = [palette, SCENE.rotate(180).quantize(64)]
    return {
        "gif.gif": encode(palette, "GIF"),
        "gif-interlaced.gif": encode(palette, "GIF", interlace=1),
        "gif-transparent.gif": encode(palette, "GIF", transparency=5),
        "gif-gray.gif": encode(SCENE.convert("L"), "GIF"),
        "gif-gray-identity.gif": gif(20, 12, gray_palette, [gif_frame(0, 0, gray, 8, None)]),
        "gif-1-bit.gif": encode(SCENE.convert("1"), "GIF"),
        "gif-animated.gif": encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100),
        "gif-partial-frame.gif": gif(60, 40, colours, [gif_frame(10, 6, indices, 4, None)], background=7),
        "gif-partial-frame-transparent.gif": gif(60, 40, colours, [gif_frame(10, 6, indices, 4, 9)], background=7),
        "gif-frame-outside-screen.gif": gif(20, 10, colours, [gif_frame(10, 6, indices, 4, None)]),
        "gif-frame-outside-screen-transparent.gif": gif(20, 10, colours, [gif_frame(10, 6, indices, 4, 9)]),
        "gif-local-palette.gif": gif(30, 20, colours, [gif_frame(0, 0, indices, 4, None, colours[::-1])]),
        "gif-without-palette.gif": gif(30, 20, None, [gif_frame(0, 0, indices, 4, None)]),
        "gif-palette-too-short.gif": gif(30, 20, colours[:12], [gif_frame(0, 0, indices, 4, None)]),
        "gif-1x1.gif": encode(scene(1, 1).quantize(2), "GIF"),
    }


# --- what must be refused

def broken() -> dict[str, bytes]:
    plain, flat, moving = jpeg(), encode(SCENE, "PNG"), encode(SCENE.quantize(64), "GIF")
    lossy = encode(SCENE, "WEBP", quality=80)
    bomb = png(30000, 30000, 1, 0, [bytes(3750)] * 30)
    return {
        "broken-jpeg-cut-in-half.jpg": plain[: len(plain) // 2],
        "broken-jpeg-without-end.jpg": plain[:-2],
        "broken-jpeg-progressive-cut.jpg": jpeg(progressive=True)[:-300],
        "broken-jpeg-header-only.jpg": plain[:100],
        "broken-jpeg-12-bit.jpg": plain.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
        "broken-png-cut-in-half.png": flat[: len(flat) // 2],
        "broken-png-zlib.png": flat[:200] + bytes(50) + flat[250:],
        "broken-webp-cut-in-half.webp": lossy[: len(lossy) // 2],
        "broken-gif-cut-in-half.gif": moving[: len(moving) // 2],
        "bomb-900-megapixels.png": bomb,
        "refused.tiff": encode(scene(31, 21), "TIFF"),
        "refused.bmp": encode(scene(16, 9), "BMP"),
        "refused.avif": encode(scene(31, 21), "AVIF"),
        "refused.svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "refused.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "refused.html": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
        "refused.heic": struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic",
    }


if __name__ == "__main__":
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    for name, data in {**jpegs(), **pngs(), **webps(), **gifs(), **broken()}.items():
        (PICTURES / name).write_bytes(data)
