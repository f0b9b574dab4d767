"""Scores of the course's model for the drawing of trousers, as the course's own gateway computes them.

    pip install tensorflow-cpu==2.21.0 tf-keras==2.21.0 pillow==13.0.0
    python generate.py

The model is the small one of packages/convert/golden (course.keras2: the course's architecture, 75 pixels, narrow);
the picture goes through what keras-image-helper 0.0.1 does for "xception": RGB, NEAREST, x / 127.5 - 1 in float32.
"""

import json
import subprocess
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import tf_keras
from PIL import Image

HERE = Path(__file__).parent
GOLDEN = HERE.parents[2] / "packages/convert/golden/keras/course.keras2.tar.br"
LABELS = "dress hat longsleeve outwear pants shirt shoes shorts skirt t-shirt".split()

unpack = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(process.argv[1])))"
archive = subprocess.run(["node", "-e", unpack, str(GOLDEN)], check=True, stdout=subprocess.PIPE).stdout
with tempfile.TemporaryDirectory() as folder:
    tarfile.open(fileobj=BytesIO(archive)).extractall(folder)
    model = tf_keras.models.load_model(f"{folder}/model.h5", compile=False)

with Image.open(HERE.parent / "pictures/trousers.jpg") as picture:
    small = picture.convert("RGB").resize((75, 75), Image.Resampling.NEAREST)
pixels = np.array(small, dtype="float32")
pixels /= 127.5
pixels -= 1.0
scores = model.predict(pixels[np.newaxis], verbose=0)[0]
text = json.dumps(dict(zip(LABELS, scores.tolist())), indent=2)
(HERE / "scores.json").write_text(text + "\n")
