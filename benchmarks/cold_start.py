"""Seconds of setup() with a snapshot that `bake` wrote, beside reading its files, and without one.

    python -m benchmarks.cold_start [--runs 3] [--folder DIR] [--cold]

Writes random weights of full size in the files' real form and bakes them (17 GB in all, in a
temporary folder, or in DIR, where they stay for the next time). Then, in turn, each in a process
of its own and with its files in the system's cache: safetensors maps all weights of the snapshot;
it reads them into memory of the process's own, which is what setup() ends with as well, for a
mapped file changes under a running program; setup() loads the snapshot; setup() loads the model
itself, fuses the LoRA, puts the embeddings in. Half precision, as on a GPU. Seconds begin after the
imports and end when every page of every tensor has been touched. Last, a whole process: Python, the
imports, beside which files are read ahead, and setup() from the snapshot.

With --cold the system's cache holds none of the files when a process begins.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.report import print_table
from plitka.bench import random_models
from plitka.engines.sdxl import device, engine
from plitka.engines.sdxl.device_choice import choose_device
from plitka.engines.sdxl.options import SdxlSettings
from plitka.runtime.timing import Stages
from plitka.weights.settings import BASE, read_weights_settings

_PAGE = 4096  # bytes
WAYS = {
    "mapped": "safetensors maps the snapshot",
    "read": "safetensors reads the snapshot",
    "baked": "setup() from the snapshot",
    "unbaked": "setup() from the model",
    "process": "a process that loads the snapshot",
}
_LOAD_SNAPSHOT = """
import os
from plitka.engines import registry
from plitka.engines.sdxl.options import SdxlSettings
from plitka.weights.settings import read_weights_settings
settings = SdxlSettings(read_weights_settings(os.environ), dtype="float16")
registry.load_engine("sdxl", lambda: settings)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to keep the weights")
    parser.add_argument("--cold", action="store_true", help="no file is in the system's cache")
    parser.add_argument(
        "--way", choices=tuple(WAYS)[:-1], help="this one alone, here, printed as JSON"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if options.way is not None:
        print(json.dumps(_time(options.way, options.folder)))
    elif options.folder is not None:
        _compare(options.folder, options.runs, options.cold)
    else:
        with tempfile.TemporaryDirectory(prefix="plitka-cold-start-") as folder:
            _compare(Path(folder), options.runs, options.cold)


def _compare(folder: Path, runs: int, cold: bool) -> None:
    stages = Stages()
    with stages("write random weights"):
        files = random_models.write_model(folder, "full")
    if not _snapshot_folder(folder).exists():
        with stages("bake"):
            bake = [sys.executable, "-m", "plitka", "bake", str(_snapshot_folder(folder))]
            subprocess.run(bake, env={**os.environ, **files.environment()}, check=True)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            base = files.base if way == "unbaked" else _snapshot_folder(folder)
            prepare = _drop_from_cache if cold else _read_into_cache
            prepare(base.rglob("*.safetensors"))
            seconds[way].append(_time_in_process(way, folder))
    reading = median(seconds["read"])
    print_table(
        ("way", "seconds", "least to most", "times reading"),
        [
            (words, f"{median(times):.2f}", f"{min(times):.2f} to {max(times):.2f}",
             f"{median(times) / reading:.2f}")
            for words, times in zip(WAYS.values(), seconds.values(), strict=True)
        ],
    )  # fmt: skip
    size = sum(file.stat().st_size for file in _snapshot_folder(folder).rglob("*.safetensors"))
    print(f"\nsnapshot: {size / 1e9:.2f} GB of weights; {device.describe(choose_device())}")


def _snapshot_folder(folder: Path) -> Path:
    return folder / "snapshot"


def _drop_from_cache(files: Iterable[Path]) -> None:
    """Have the system forget the content of files, as far as no process has them mapped."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _read_into_cache(files: Iterable[Path]) -> None:
    """Read files once, so that they are in the system's cache."""
    for path in files:
        with path.open("rb", buffering=0) as file:
            while file.read(2**24):
                pass


def _time_in_process(way: str, folder: Path) -> float:
    if way == "process":
        variables = {**os.environ, BASE: str(_snapshot_folder(folder))}
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", _LOAD_SNAPSHOT], env=variables, check=True)
        return time.perf_counter() - begun
    command = ["-m", "benchmarks.cold_start", "--way", way, "--folder", str(folder)]
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout))


def _time(way: str, folder: Path) -> float:
    ways: dict[str, Callable[[Path], Iterable[Tensor]]] = {
        "mapped": _map_snapshot,
        "read": lambda folder: [tensor.clone() for tensor in _map_snapshot(folder)],
        "baked": _set_up_baked,
        "unbaked": _set_up_unbaked,
    }
    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")  # the driver starts before the clock
    begun = time.perf_counter()
    for tensor in ways[way](folder):
        step = _PAGE // tensor.element_size()
        tensor.detach().flatten()[::step].sum().item()
    return time.perf_counter() - begun


def _map_snapshot(folder: Path) -> Iterable[Tensor]:
    place = choose_device().name
    files = sorted(_snapshot_folder(folder).rglob("*.safetensors"))
    return [tensor for file in files for tensor in load_file(file, device=place).values()]


def _set_up_baked(folder: Path) -> Iterable[Tensor]:
    return _load({BASE: str(_snapshot_folder(folder))})


def _set_up_unbaked(folder: Path) -> Iterable[Tensor]:
    return _load(random_models.write_model(folder, "full").environment())


def _load(variables: Mapping[str, str]) -> Iterable[Tensor]:
    weights = read_weights_settings({**os.environ, **variables})
    pipe = engine.load_sdxl(SdxlSettings(weights, dtype="float16")).pipe
    networks = (pipe.unet, pipe.vae, pipe.text_encoder, pipe.text_encoder_2)
    return [tensor for network in networks for tensor in network.state_dict().values()]


if __name__ == "__main__":
    main()
