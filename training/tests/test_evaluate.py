import unittest

import numpy as np

from clothing_model.evaluate import Judged, calibration, choose_threshold, fit_temperature, probabilities


def answers_of_temperature(temperature: float, photos: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are calibrated when divided by `temperature`, and labels drawn accordingly."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (photos, 10)).astype(np.float32)
    chances = probabilities(logits, 1.0)
    labels = (chances.cumsum(axis=1) > rng.random((photos, 1))).argmax(axis=1)
    return logits * temperature, labels


class Evaluate(unittest.TestCase):
    def test_the_fitted_temperature_is_the_one_that_calibrates(self) -> None:
        for temperature in (0.4, 2.5):
            logits, labels = answers_of_temperature(temperature)
            fitted = fit_temperature(logits, labels)
            self.assertAlmostEqual(fitted / temperature, 1, delta=0.05)
            self.assertLess(calibration(probabilities(logits, fitted), labels)[0], 0.015)

    def test_calibration_error_is_the_gap_between_trust_and_truth(self) -> None:
        chances = np.tile([0.9, 0.1], (100, 1))
        labels = np.array([0] * 60 + [1] * 40)
        error, bins = calibration(chances, labels)
        self.assertAlmostEqual(error, 0.3)
        self.assertEqual([row["photos"] for row in bins], [100])

    def test_the_threshold_keeps_the_promised_share_of_right_answers(self) -> None:
        logits, labels = answers_of_temperature(1.0)
        chances = probabilities(logits, 1.0)
        threshold = choose_threshold(chances, labels)
        right = chances.max(axis=1)[chances.argmax(axis=1) == labels]
        self.assertGreaterEqual((right >= threshold).mean(), 0.95)
        self.assertLess((right >= threshold + 0.01).mean(), 0.95)

    def test_rows_of_the_confusion_matrix_are_labels(self) -> None:
        logits = np.eye(10, dtype=np.float32)[[0, 0, 3]]
        matrix = Judged(logits, np.array([0, 1, 3]), 1.0, 0.5).confusion()
        self.assertEqual((matrix[0, 0], matrix[1, 0], matrix[3, 3]), (1, 1, 1))


if __name__ == "__main__":
    unittest.main()
