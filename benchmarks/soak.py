"""A soak test: the same recipes again and again, through the gateway and Cog's real server.

    python -m benchmarks.soak --engine render --predictions 1000 --out soak-render.json
    python -m benchmarks.soak --engine sdxl --predictions 100 --out soak-sdxl.json

Every picture is decoded, and compared with the first one of its recipe. Resident memory, temporary
files and times are recorded. Prints its progress, writes a summary as JSON, and exits with 1 if a
bound is broken. `sdxl` is the small model of the tests, with two steps a picture.
"""

import argparse
import hashlib
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import psutil

from plitka import __version__
from plitka.request.plan import PICTURE_SIZES
from plitka.serving.outbox import COGS_FOLDERS
from tests.support.server import CogServer, cog_server, open_png

SIZES = [(size, size) for size in PICTURE_SIZES.values()]
MAX_GROWTH = 0.02  # of the median memory in the last window over that in the first
MAX_SLOWER = 0.10  # the same of the time of a prediction, in both directions
MAX_FILES = 4 * 3  # of the predictions whose files are kept
MAX_FOLDERS = 150  # of Cog's, empty, which are removed when they are a minute old

_ANGLES = (0, 30, 45, 90, 135)
_COLORS = ["black", "white", "red", "dark green", "blue", "beige", "yellow", "terracotta"]
_VARIANTS: tuple[dict[str, Any], ...] = (
    {"quality": "preview"},
    {"quality": "standard"},
    {"quality": "high"},
    {"quality": "standard", "overrides": {"color_control": "prompt"}},
    {"quality": "standard", "overrides": {"use_controlnet": True}},
)
CYCLE = len(_ANGLES) * len(_VARIANTS)


def make_recipes() -> list[str]:
    """Make one cycle: every angle with every variant, of one to eight colours."""
    bodies = []
    for place, (angle, variant) in enumerate(product(_ANGLES, _VARIANTS)):
        names = _COLORS[: place % len(_COLORS) + 1]
        colors = [{"name": name, "proportion": 1 / len(names)} for name in names]
        steps = {"num_inference_steps_preview": 2, "num_inference_steps_final": 2}
        overrides = {**steps, **variant.get("overrides", {})}
        body = {**variant, "colors": colors, "angle": angle, "seed": place, "overrides": overrides}
        bodies.append(json.dumps(body))
    return bodies


@dataclass
class Soak:
    """What was recorded, prediction by prediction."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # seconds, of the whole family
    memory: list[int] = field(default_factory=list)  # bytes resident, of the whole family
    files: int = 0  # the most at once
    folders: int = 0
    faults: list[str] = field(default_factory=list)


def soak(server: CogServer, temporary: Path, count: int) -> Soak:
    """Make `count` predictions. temporary: the folder of the server's temporary files."""
    record = Soak()
    recipes = make_recipes()
    first: dict[int, list[str]] = {}
    for number in range(count):
        place = number % CYCLE
        start, used = time.perf_counter(), measure_processor_seconds(server)
        body = server.predict(recipes[place]).json()
        record.seconds.append(time.perf_counter() - start)
        server.settle()
        record.processor.append(measure_processor_seconds(server) - used)
        try:
            digests = check_pictures(body)
        except (OSError, ValueError) as fault:
            record.faults.append(f"prediction {number}: {fault}")
            continue
        if digests != first.setdefault(place, digests):
            record.faults.append(f"prediction {number}: other bytes than its recipe gave before")
        record.memory.append(measure_memory(server))
        record.files = max(record.files, sum(1 for path in temporary.rglob("*") if path.is_file()))
        record.folders = max(record.folders, sum(1 for _ in COGS_FOLDERS.iterdir()))
        if (number + 1) % CYCLE == 0:
            recent = statistics.median(record.seconds[-CYCLE:])
            memory = record.memory[-1] / 2**20
            print(f"{number + 1}: {recent:.2f} s, {memory:.0f} MiB, {len(record.faults)} faults")
    return record


def check_pictures(body: Mapping[str, Any]) -> list[str]:
    """Decode each picture; returns digests. Raises ValueError or OSError for a damaged one."""
    if body["status"] != "succeeded":
        raise ValueError(f"{body['status']}: {body.get('error')}")
    pictures = [open_png(uri) for uri in body["output"]]
    for picture in pictures:
        picture.load()
    if [picture.size for picture in pictures] != SIZES:
        raise ValueError(f"sizes {[picture.size for picture in pictures]}")
    return [hashlib.sha256(uri.encode()).hexdigest() for uri in body["output"]]


def measure_memory(server: CogServer) -> int:
    """Add up the resident bytes of all its processes that are of no file.

    Pages of files, the programs' own, come and go as the system likes.
    """
    sizes = [process.memory_info() for process in server.family()]
    return sum(each.rss - each.shared for each in sizes)


def measure_processor_seconds(server: CogServer) -> float:
    times = [process.cpu_times() for process in server.family()]
    return sum(each.user + each.system for each in times)


def summarize(engine: str, count: int, record: Soak) -> dict[str, Any]:
    """Summarize medians of the first and the last window after the warm-up, and broken bounds.

    A window is 100 predictions, fewer in a short run, of whole cycles where there are so many.
    """
    warm = min(2 * CYCLE, count // 4)
    window = min(100, max(1, (count - warm) // 3))
    window = max(window - window % CYCLE, min(window, CYCLE))
    broken = list(record.faults)
    growth = compute_change(record.memory[warm:], window)
    slower = compute_change(record.seconds[warm:], window)
    for name, value, bound in (
        ("memory", growth, MAX_GROWTH),
        ("time", abs(slower), MAX_SLOWER),
        ("files", record.files, MAX_FILES),
        ("folders", record.folders, MAX_FOLDERS),
    ):
        if value > bound:
            broken.append(f"{name}: {value:.3g} is over {bound}")
    return {
        "engine": engine,
        "predictions": count,
        "version": __version__,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{psutil.cpu_count()} cores, {platform.platform()}",
        "warm_up": warm,
        "window": window,
        "memory_mib": [
            round(value / 2**20, 1) for value in compute_medians(record.memory[warm:], window)
        ],
        "memory_growth": round(growth, 4),
        "seconds": [round(value, 3) for value in compute_medians(record.seconds[warm:], window)],
        "slower": round(slower, 4),
        "processor_seconds": [
            round(value, 3) for value in compute_medians(record.processor[warm:], window)
        ],
        "total_seconds": round(sum(record.seconds)),
        "most_files": record.files,
        "most_empty_folders": record.folders,
        "broken": broken,
    }


def compute_medians(values: list[Any], window: int) -> tuple[float, float]:
    """Compute the medians of the first and of the last window."""
    return statistics.median(values[:window]), statistics.median(values[-window:])


def compute_change(values: list[Any], window: int) -> float:
    """Compute the relative change from the first window to the last."""
    first, last = compute_medians(values, window)
    return float(last / first - 1)


@contextmanager
def serve(engine: str, folder: Path) -> Iterator[CogServer]:
    """Run the gateway with this engine, its temporary files in `folder`/temporary."""
    env = {"PLITKA_ENGINE": engine, "TMPDIR": str(folder / "temporary")}
    (folder / "temporary").mkdir()
    if engine == "sdxl":
        from tests.support import small_sdxl

        env |= small_sdxl.save(folder / "model").settings()
    with cog_server(folder, env, gate=True, arguments=("--port", "0")) as server:
        yield server


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--engine", choices=("render", "sdxl"), default="render")
    parser.add_argument("--predictions", type=int, default=1000, help="default: 1000")
    parser.add_argument("--out", type=Path, help="file for the summary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serve(options.engine, Path(name)) as server:
        record = soak(server, Path(name, "temporary"), options.predictions)
        if server.health()["status"] != "READY":
            record.faults.append(f"health: {server.health()}")
    summary = summarize(options.engine, options.predictions, record)
    text = json.dumps(summary, indent=2)
    print(text)
    if options.out is not None:
        options.out.write_text(f"{text}\n", encoding="utf-8")
    return 1 if summary["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
