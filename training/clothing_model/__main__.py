"""`python -m clothing_model`: photos and ImageNet weights in, model folders out."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# One thread per process: two runs on two cores then finish sooner than one run on both, and a busy machine does not
# stall them. glibc would give the large arrays of each step back to the kernel and fault them in again: about a
# tenth of the time.
PROCESS_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m clothing_model", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, help="folder with train/<label>/ and validation/<label>/")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for checkpoints and the pixel store; a second call resumes"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="model folder to write, e.g. ../models/clothing-model"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 11], help="one model each; their mean is tried too (default: 1 11)"
    )
    return parser.parse_args()


def main() -> None:
    # Such settings are read when a process starts, so it starts itself once more with them.
    if os.environ.get("OMP_WAIT_POLICY") != PROCESS_ENVIRONMENT["OMP_WAIT_POLICY"]:
        os.execve(
            sys.executable,
            [sys.executable, "-m", "clothing_model", *sys.argv[1:]],
            {**os.environ, **PROCESS_ENVIRONMENT},
        )
    options = arguments()

    import torch

    from .data import load_split
    from .train import Recipe, train_seed

    torch.set_num_threads(1)
    recipe = Recipe()
    train = load_split(options.photos, "train", options.work)
    validation = load_split(options.photos, "validation", options.work)
    candidates = {f"seed {seed}": train_seed(seed, train, validation, recipe, options.work) for seed in options.seeds}

    from .release import release

    release(candidates, train, validation, recipe, options.photos, options.output)


if __name__ == "__main__":
    main()
