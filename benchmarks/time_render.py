"""What each stage of the render costs, and how it grows with the picture's size.

    python -m benchmarks.time_render [--runs 5]

Processor seconds (all threads) are the median of the runs. Memory is the most that a stage's
arrays take at once beyond its input, as tracemalloc counts NumPy's; the last row is the most
memory that a whole process for this size held, interpreter and libraries included.
"""

import argparse
import multiprocessing
import statistics
import time
import tracemalloc
from collections.abc import Callable

from benchmarks.report import print_table
from plitka import device, fidelity, layout, recipe, render

SIZES = (512, 1024, 2048)  # pixels a side
REQUEST = """{"colors": [{"name": "red", "proportion": 40}, {"name": "blue", "proportion": 30},
    {"name": "white", "proportion": 20}, {"name": "black", "proportion": 10}],
    "angle": 45, "seed": 7}"""

Cost = tuple[float, float]
"""Processor seconds, MiB."""


def costs(size: int, runs: int) -> dict[str, Cost]:
    """What each stage costs at this size; run in a process of its own."""
    asked = recipe.parse(REQUEST)
    laid = layout.lay(asked)
    photo = render.picture(laid, size)
    stages: dict[str, Callable[[], object]] = {
        "layout (the same for all sizes)": lambda: layout.lay(asked),
        "render": lambda: render.picture(laid, size),
        "colormap": lambda: render.colormap(laid, size),
        "edges for Canny": lambda: render.canny(laid, photo),
        "edges for SoftEdge": lambda: render.soft_edge(laid, photo),
        "measuring the shares": lambda: fidelity.measure(photo, laid.colours),
    }
    peak = device.peak_memory_mb()  # of the stages below, none needs more than the render
    found = {
        name: (statistics.median(_seconds(stage) for _ in range(runs)), _mebibytes(stage))
        for name, stage in stages.items()
    }
    return found | {"whole process": (float("nan"), max(peak, device.peak_memory_mb()))}


def _seconds(stage: Callable[[], object]) -> float:
    start = time.process_time()
    stage()
    return time.process_time() - start


def _mebibytes(stage: Callable[[], object]) -> float:
    tracemalloc.start()
    stage()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the stages of the render.")
    parser.add_argument("--runs", type=int, default=5, help="of each stage (default: 5)")
    runs: int = parser.parse_args().runs

    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = [pool.apply(costs, (size, runs)) for size in SIZES]
    rows = []
    for name in found[0]:
        seconds, memory = zip(*(cost[name] for cost in found), strict=True)
        timed = name != "whole process"
        rows.append(
            [
                name,
                *(f"{value:.3f}" if timed else "" for value in seconds),
                f"{seconds[-1] / seconds[-2]:.1f}x" if timed else "",
                *(f"{value:.0f}" for value in memory),
            ]
        )
    growth = f"{SIZES[-1]} over {SIZES[-2]}"
    times, sizes = [f"{size}, s" for size in SIZES], [f"{size}, MiB" for size in SIZES]
    print_table(["stage", *times, growth, *sizes], rows)


if __name__ == "__main__":
    main()
