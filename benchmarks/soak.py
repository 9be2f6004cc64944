"""A soak: the same recipes again and again, through the gate and Cog's real server.

    python -m benchmarks.soak --engine render --predictions 1000 --out soak-render.json
    python -m benchmarks.soak --engine sdxl --predictions 100 --out soak-sdxl.json

Every picture is decoded, and compared with the one that its recipe gave first. Resident memory,
temporary files and times are watched. Prints its progress, writes a summary as JSON, and ends with
status 1 where a bound is broken. `sdxl` is the small model of the tests, with two steps a picture.
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
from plitka.serving.outbox import COGS_FOLDERS
from tests.serving.test_server import opened
from tests.support.server import CogServer, cog_server

SIZES = [(512, 512), (1024, 1024), (1024, 1024)]
MEMORY_GROWTH = 0.02  # of the median in the last window over that in the first
SLOWER = 0.10  # the same of the time of a prediction
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


def recipes() -> list[str]:
    """One cycle: every angle with every variant, of one to eight colours."""
    made = []
    for place, (angle, variant) in enumerate(product(_ANGLES, _VARIANTS)):
        names = _COLORS[: place % len(_COLORS) + 1]
        colors = [{"name": name, "proportion": 1 / len(names)} for name in names]
        steps = {"num_inference_steps_preview": 2, "num_inference_steps_final": 2}
        overrides = {**steps, **variant.get("overrides", {})}
        body = {**variant, "colors": colors, "angle": angle, "seed": place, "overrides": overrides}
        made.append(json.dumps(body))
    return made


@dataclass
class Soak:
    """What was seen, prediction by prediction."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # seconds, of the whole family
    memory: list[int] = field(default_factory=list)  # bytes resident, of the whole family
    files: int = 0  # the most at once
    folders: int = 0
    faults: list[str] = field(default_factory=list)


def soak(server: CogServer, temporary: Path, count: int) -> Soak:
    seen = Soak()
    made = recipes()
    first: dict[int, list[str]] = {}
    for number in range(count):
        place = number % CYCLE
        start, used = time.perf_counter(), processor_seconds(server)
        body = server.predict(made[place]).json()
        seen.seconds.append(time.perf_counter() - start)
        server.settle()
        seen.processor.append(processor_seconds(server) - used)
        try:
            found = intact(body)
        except (OSError, ValueError) as fault:
            seen.faults.append(f"prediction {number}: {fault}")
            continue
        if found != first.setdefault(place, found):
            seen.faults.append(f"prediction {number}: other bytes than its recipe gave before")
        seen.memory.append(resident(server))
        seen.files = max(seen.files, sum(1 for path in temporary.rglob("*") if path.is_file()))
        seen.folders = max(seen.folders, sum(1 for _ in COGS_FOLDERS.iterdir()))
        if (number + 1) % CYCLE == 0:
            recent = statistics.median(seen.seconds[-CYCLE:])
            memory = seen.memory[-1] / 2**20
            print(f"{number + 1}: {recent:.2f} s, {memory:.0f} MiB, {len(seen.faults)} faults")
    return seen


def intact(body: Mapping[str, Any]) -> list[str]:
    """A mark of the bytes of each picture. Raises ValueError or OSError where one is not whole."""
    if body["status"] != "succeeded":
        raise ValueError(f"{body['status']}: {body.get('error')}")
    pictures = [opened(uri) for uri in body["output"]]
    for picture in pictures:
        picture.load()
    if [picture.size for picture in pictures] != SIZES:
        raise ValueError(f"sizes {[picture.size for picture in pictures]}")
    return [hashlib.sha256(uri.encode()).hexdigest() for uri in body["output"]]


def resident(server: CogServer) -> int:
    return sum(process.memory_info().rss for process in server.family())


def processor_seconds(server: CogServer) -> float:
    times = [process.cpu_times() for process in server.family()]
    return sum(each.user + each.system for each in times)


def summary(engine: str, count: int, seen: Soak) -> dict[str, Any]:
    """Medians of the first and the last window after the warm-up, and the bounds that are broken.

    A window is 100 predictions, fewer in a short run, of whole cycles where there are so many.
    """
    warm = min(2 * CYCLE, count // 4)
    window = min(100, max(1, (count - warm) // 3))
    window = max(window - window % CYCLE, min(window, CYCLE))
    broken = list(seen.faults)
    growth = change(seen.memory[warm:], window)
    slower = change(seen.seconds[warm:], window)
    for name, value, bound in (
        ("memory", growth, MEMORY_GROWTH),
        ("time", abs(slower), SLOWER),
        ("files", seen.files, MAX_FILES),
        ("folders", seen.folders, MAX_FOLDERS),
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
        "memory_mib": [round(value / 2**20, 1) for value in ends(seen.memory[warm:], window)],
        "memory_growth": round(growth, 4),
        "seconds": [round(value, 3) for value in ends(seen.seconds[warm:], window)],
        "slower": round(slower, 4),
        "processor_seconds": [round(value, 3) for value in ends(seen.processor[warm:], window)],
        "total_seconds": round(sum(seen.seconds)),
        "most_files": seen.files,
        "most_empty_folders": seen.folders,
        "broken": broken,
    }


def ends(values: list[Any], window: int) -> tuple[float, float]:
    """Medians of the first and of the last window."""
    return statistics.median(values[:window]), statistics.median(values[-window:])


def change(values: list[Any], window: int) -> float:
    first, last = ends(values, window)
    return float(last / first - 1)


@contextmanager
def served(engine: str, folder: Path) -> Iterator[CogServer]:
    """The gate with this engine, its temporary files in `folder`/temporary."""
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
    with tempfile.TemporaryDirectory() as name, served(options.engine, Path(name)) as server:
        seen = soak(server, Path(name, "temporary"), options.predictions)
        if server.health()["status"] != "READY":
            seen.faults.append(f"health: {server.health()}")
    told = json.dumps(summary(options.engine, options.predictions, seen), indent=2)
    print(told)
    if options.out is not None:
        options.out.write_text(f"{told}\n", encoding="utf-8")
    return 1 if json.loads(told)["broken"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
