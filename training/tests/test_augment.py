import unittest

import numpy as np
import torch

from clothing_model.augment import augment, mix
from clothing_model.outliers import DRAWINGS


class Augment(unittest.TestCase):
    def test_a_seed_gives_the_same_views(self) -> None:
        photos = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8))
        first, second = (augment(photos, 48, np.random.default_rng(5)) for _ in range(2))
        self.assertTrue(torch.equal(first, second))
        self.assertEqual(first.shape, (6, 3, 48, 48))
        self.assertTrue(((first >= 0) & (first <= 255)).all())

    def test_mixed_targets_still_sum_to_one(self) -> None:
        targets = torch.eye(10)[:4]
        for seed in range(12):
            _, mixed = mix(torch.rand(4, 3, 32, 32), targets, np.random.default_rng(seed))
            torch.testing.assert_close(mixed.sum(1), torch.ones(4))

    def test_each_drawing_fills_the_asked_size(self) -> None:
        photo = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
        for draw in DRAWINGS:
            picture = draw(100, np.random.default_rng(2), photo)
            self.assertEqual((picture.shape, picture.dtype), ((100, 100, 3), np.uint8), draw.__name__)


if __name__ == "__main__":
    unittest.main()
