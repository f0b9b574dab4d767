"""`python -m clothing_model.benchmark MODEL_FOLDER`: images per second on one thread, beside Xception, in one run.

The models take turns, so that a machine that slows down slows all of them. Wall-clock and process time are both
measured; on a busy machine the median of process time is the fairer one. Prints a table; --json FILE writes it too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .export import ACTIVATION_MAP, INPUT, LOGITS
from .pixels import PICTURE_SIZE
from .runtime import session
from .xception import SIZE as XCEPTION_SIZE
from .xception import xception

BATCHES = (1, 8)


def without_map(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with only `logits`: mean first, then the head as a matrix. To price the map."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    head = next(node for node in graph.node if ACTIVATION_MAP in node.output)
    features, weight_name, bias_name = head.input
    weight = next(value for value in graph.initializer if value.name == weight_name)
    flat = numpy_helper.from_array(numpy_helper.to_array(weight)[:, :, 0, 0], weight_name)
    weight.CopyFrom(flat)
    kept = [node for node in graph.node if ACTIVATION_MAP not in node.output and LOGITS not in node.output]
    del graph.node[:]
    graph.node.extend(kept)
    graph.node.extend(
        [
            helper.make_node("GlobalAveragePool", [features], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("Gemm", ["flat", weight_name, bias_name], [LOGITS], transB=1),
        ]
    )
    outputs = [output for output in graph.output if output.name == LOGITS]
    del graph.output[:]
    graph.output.extend(outputs)
    onnx.checker.check_model(changed)
    return changed


def measure(models: Path, rounds: int) -> list[dict]:
    """Milliseconds per image of each model and batch size."""
    graphs: dict[str, onnx.ModelProto] = {}
    for folder in sorted((path for path in models.iterdir() if path.name.isdigit()), key=lambda path: -int(path.name)):
        precision = json.loads((folder / "config.json").read_text())["vitrine"]["precision"]
        graphs[f"{precision} (version {folder.name})"] = onnx.load(folder / "model.onnx")
    default = next(iter(graphs))
    graphs[f"{default} without the map"] = without_map(graphs[default])
    graphs["Xception 299 fp32"] = xception()
    sessions = {name: session(graph.SerializeToString()) for name, graph in graphs.items()}
    rng = np.random.default_rng(0)
    times: dict[tuple[str, int], tuple[list[float], list[float]]] = {}
    for round_number in range(rounds + 1):
        # Another order each round: what ran before leaves caches cold or warm.
        for turn in rng.permutation(len(sessions) * len(BATCHES)):
            name, batch = list(sessions)[turn // len(BATCHES)], BATCHES[turn % len(BATCHES)]
            loaded = sessions[name]
            if name.startswith("Xception"):
                pixels = rng.uniform(-1, 1, (batch, XCEPTION_SIZE, XCEPTION_SIZE, 3)).astype(np.float32)
            else:
                pixels = rng.integers(0, 256, (batch, PICTURE_SIZE, PICTURE_SIZE, 3), dtype=np.uint8)
            wall, busy = time.perf_counter(), time.process_time()
            loaded.run(None, {INPUT: pixels})
            wall, busy = time.perf_counter() - wall, time.process_time() - busy
            if round_number > 0:  # the first round only warms up
                lists = times.setdefault((name, batch), ([], []))
                lists[0].append(1000 * wall / batch)
                lists[1].append(1000 * busy / batch)
    rows = []
    for name, batch in ((name, batch) for name in sessions for batch in BATCHES):
        wall, busy = times[name, batch]
        reference = statistics.median(times["Xception 299 fp32", batch][1])
        rows.append(
            {
                "model": name,
                "batch": batch,
                "wall_ms_per_image": round(statistics.median(wall), 3),
                "cpu_ms_per_image": round(statistics.median(busy), 3),
                "images_per_cpu_second": round(1000 / statistics.median(busy), 1),
                "times_xception": round(reference / statistics.median(busy), 2),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m clothing_model.benchmark", description=__doc__)
    parser.add_argument("models", type=Path, help="model folder, e.g. ../models/clothing-model")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    options = parser.parse_args()
    rows = measure(options.models, options.rounds)
    for row in rows:
        print(
            f"{row['model']:32} batch {row['batch']}: {row['cpu_ms_per_image']:8.2f} ms/image"
            f" {row['images_per_cpu_second']:7.1f} images/s  {row['times_xception']:6.2f} x Xception"
            f"  (wall {row['wall_ms_per_image']:.2f} ms)"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
