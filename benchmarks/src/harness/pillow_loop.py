"""Decodes and resizes each picture of a folder as the gateway does, again and again, in one thread.

Usage: pillow_loop.py FOLDER SECONDS SIZE
Prints `ready`, then `IMAGES CPU_SECONDS`.
"""

import io
import sys
import time
from pathlib import Path

from PIL import Image

folder, seconds, size = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
pictures = [path.read_bytes() for path in sorted(folder.iterdir())]
print("ready", flush=True)
images = 0
cpu_began = time.process_time()
ends = time.monotonic() + seconds
while time.monotonic() < ends:
    with Image.open(io.BytesIO(pictures[images % len(pictures)])) as picture:
        picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR).tobytes()
    images += 1
print(images, time.process_time() - cpu_began, flush=True)
