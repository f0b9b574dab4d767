import unittest

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from clothing_model.export import (
    ACTIVATION_MAP,
    INPUT,
    LOGITS,
    WEIGHT_LIMIT,
    activation_ranges,
    onnx_model,
    round_weights,
)
from clothing_model.model import ClothingModel, normalise
from clothing_model.runtime import session

SIZE = 72  # sides 36, 18, 9, 5, 3: even and odd ones, so both kinds of padding


def small_random_model() -> tuple[ClothingModel, np.ndarray]:
    torch.manual_seed(0)
    model = ClothingModel(10).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("weight") and parameter.ndim == 4:
            torch.nn.init.kaiming_normal_(parameter)
    return model, np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), dtype=np.uint8)


class Export(unittest.TestCase):
    def test_fp32_answers_what_torch_answers_for_any_batch(self) -> None:
        model, pixels = small_random_model()
        with torch.no_grad():
            expected = model(normalise(torch.from_numpy(pixels))).numpy()
        loaded = session(onnx_model(model, SIZE, None, {}).SerializeToString())
        for rows in (1, 3):
            logits, _ = loaded.run([LOGITS, ACTIVATION_MAP], {INPUT: pixels[:rows]})
            np.testing.assert_allclose(logits, expected[:rows], atol=1e-4 * np.abs(expected).max())

    def test_the_mean_of_the_activation_map_is_the_logits(self) -> None:
        model, pixels = small_random_model()
        for ranges in (None, activation_ranges(model, pixels)):
            loaded = session(onnx_model(model, SIZE, ranges, {}).SerializeToString())
            logits, activation_map = loaded.run([LOGITS, ACTIVATION_MAP], {INPUT: pixels})
            self.assertEqual(activation_map.shape, (3, 10, 3, 3))
            np.testing.assert_allclose(activation_map.mean((2, 3)), logits, atol=1e-5)

    def test_no_pair_of_8_bit_products_saturates_16_bits(self) -> None:
        model, pixels = small_random_model()
        graph = onnx_model(model, SIZE, activation_ranges(model, pixels), {}).graph
        weights = [numpy_helper.to_array(value) for value in graph.initializer if value.name.endswith(".weight.bytes")]
        self.assertEqual(len(weights), sum(isinstance(part, torch.nn.Conv2d) for part in model.modules()))
        largest = max(int(np.abs(value.astype(int)).max()) for value in weights)
        self.assertLessEqual(largest, WEIGHT_LIMIT)
        self.assertLessEqual(2 * 255 * largest, np.iinfo(np.int16).max)

    def test_only_the_input_and_both_outputs_are_visible_and_metadata_is_kept(self) -> None:
        model, _ = small_random_model()
        proto = onnx_model(model, SIZE, None, {"licence": "Apache-2.0"})
        self.assertEqual([value.name for value in proto.graph.input], [INPUT])
        self.assertEqual([value.name for value in proto.graph.output], [LOGITS, ACTIVATION_MAP])
        self.assertEqual(proto.graph.input[0].type.tensor_type.elem_type, onnx.TensorProto.UINT8)
        self.assertEqual({entry.key: entry.value for entry in proto.metadata_props}, {"licence": "Apache-2.0"})

    def test_rounded_weights_are_float16_values(self) -> None:
        model, _ = small_random_model()
        round_weights(model)
        for parameter in model.parameters():
            self.assertTrue(torch.equal(parameter, parameter.half().float()))


if __name__ == "__main__":
    unittest.main()
