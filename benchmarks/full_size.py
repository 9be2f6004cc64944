"""SDXL of full size with random weights, on the CPU in bfloat16: seconds and memory of each stage.

    python -m benchmarks.full_size [--steps 2] [--size 512] [--folder DIR]

Writes 7 GB of weights in the files' real form to a temporary folder (or into DIR, where they stay
for the next time), loads them as setup() does, and draws one picture at 0 and one at 45 degrees.
The real weights, trained, take as long; what the pictures show is noise.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path

from plitka.bench import random_models
from plitka.color import palette
from plitka.engines.base import DrawRequest
from plitka.engines.sdxl import engine as sdxl
from plitka.engines.sdxl.options import SdxlSettings
from plitka.request import parsing
from plitka.request.plan import make_plan
from plitka.runtime.memory import measure_peak_memory_mb
from plitka.runtime.timing import Stages, log
from plitka.tile.layout import lay
from plitka.weights.settings import read_weights_settings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to keep the weights")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if options.folder is not None:
        _run(options.folder, options.size, options.steps)
        return
    with tempfile.TemporaryDirectory(prefix="plitka-full-size-") as folder:
        _run(Path(folder), options.size, options.steps)


def _run(folder: Path, size: int, steps: int) -> None:
    stages = Stages(lambda: f"peak so far {measure_peak_memory_mb():,.0f} MiB")
    with stages("write random weights"):
        files = random_models.write_model(folder, "full")
        weights = read_weights_settings(files.environment())
    with stages("setup"):
        engine = sdxl.load_sdxl(SdxlSettings(weights, dtype="bfloat16"))
    for angle in (0, 45):
        request = {
            "colors": [{"name": "red", "proportion": 100}],
            "angle": angle,
            "seed": 7,
            "overrides": {"strength": 1},
        }
        plan = make_plan(parsing.parse(json.dumps(request), palette.load()))
        with stages(f"picture of {size} at {angle} degrees, {steps} steps"):
            layout = lay(plan.recipe)
            guides = engine.make_guides(plan, layout, size)
            engine.draw(DrawRequest(plan, layout, size, steps, guides))
    log.info("peak of the process: %.1f GiB", measure_peak_memory_mb() / 1024)


if __name__ == "__main__":
    main()
