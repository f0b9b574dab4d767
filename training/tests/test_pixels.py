import io
import unittest

import numpy as np
from PIL import Image

from clothing_model.pixels import serving_pixels


class ServingPixels(unittest.TestCase):
    def test_a_photo_taken_sideways_comes_out_upright(self) -> None:
        upright = Image.new("RGB", (40, 20), (0, 0, 0))
        upright.paste((250, 0, 0), (0, 0, 40, 10))
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned: to be shown rotated by 90 degrees clockwise
        file = io.BytesIO()
        upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
        shown = serving_pixels(Image.open(file), 8)
        np.testing.assert_array_equal(shown, serving_pixels(upright, 8))
        self.assertEqual(shown[0, 4].tolist(), [250, 0, 0])

    def test_transparency_is_dropped_not_blended(self) -> None:
        clear = Image.new("RGBA", (10, 10), (10, 20, 30, 0))
        self.assertEqual(serving_pixels(clear, 4)[0, 0].tolist(), [10, 20, 30])

    def test_both_sides_are_squashed_to_the_size(self) -> None:
        self.assertEqual(serving_pixels(Image.new("L", (300, 20), 7), 16).shape, (16, 16, 3))


if __name__ == "__main__":
    unittest.main()
