"""Makes phone.heic: trousers.jpg upright at a third of its size, as iPhones store photos (HEVC in HEIF).

Nothing here can write one: no codec of it comes with sharp. Run: pip install pillow pillow-heif==1.8.1 && python tests/e2e/pictures/make_heic.py
"""

from pathlib import Path

import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
folder = Path(__file__).parent
photo = ImageOps.exif_transpose(Image.open(folder / "trousers.jpg"))
photo.thumbnail((216, 216))
photo.save(folder / "phone.heic", quality=50)
