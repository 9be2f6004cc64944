"""What each stage of the render costs, and how it grows with size and number of granules.

    python -m benchmarks.time_render [--runs 5] [--angle 45]

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
from dataclasses import replace

from benchmarks.report import print_table
from plitka.color import palette
from plitka.measure.shares import measure
from plitka.request import parsing
from plitka.runtime.memory import measure_peak_memory_mb
from plitka.tile import granule, layout, render
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges

SIZES = (512, 1024, 2048)  # pixels a side
REQUEST = """{"colors": [{"name": "red", "proportion": 40}, {"name": "blue", "proportion": 30},
    {"name": "white", "proportion": 20}, {"name": "black", "proportion": 10}],
    "seed": 7}"""
DIAMETERS = (40, 28, 20, 14, 10)  # pixels at 1024; the layout's own is 20

Cost = tuple[float, float]
"""Processor seconds, MiB."""


def costs(size: int, angle: float, runs: int) -> dict[str, Cost]:
    """What each stage costs at this size; run in a process of its own."""
    asked = replace(parsing.parse(REQUEST, palette.load()), angle=angle)
    laid = layout.lay(asked)
    photo = render.render_picture(laid, size)
    stages: dict[str, Callable[[], object]] = {
        "layout (the same for all sizes)": lambda: layout.lay(asked),
        "render": lambda: render.render_picture(laid, size),
        "colormap": lambda: render.render_colormap(laid, size),
        "edges for Canny": lambda: draw_canny_edges(laid, photo),
        "edges for SoftEdge": lambda: draw_soft_edges(laid, photo),
        "measuring the shares": lambda: measure(photo, laid.colors),
    }
    peak = measure_peak_memory_mb()  # of the stages below, none needs more than the render
    found = {
        name: (statistics.median(_seconds(stage) for _ in range(runs)), _mebibytes(stage))
        for name, stage in stages.items()
    }
    return found | {"whole process": (float("nan"), max(peak, measure_peak_memory_mb()))}


def cost_of_granules(pixels: int, angle: float, runs: int) -> tuple[int, float, float]:
    """Granules seen, seconds to lay and to draw them at 1024; run in a process of its own."""
    granule.DIAMETER = pixels / 1024
    asked = replace(parsing.parse(REQUEST, palette.load()), angle=angle)
    laid = layout.lay(asked)
    laying = statistics.median(_seconds(lambda: layout.lay(asked)) for _ in range(runs))
    drawing = statistics.median(
        _seconds(lambda: render.render_picture(laid, 1024)) for _ in range(runs)
    )
    return len(laid.owner), laying, drawing


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
    parser.add_argument("--angle", type=float, default=45, help="laying angle (default: 45)")
    options = parser.parse_args()
    runs: int = options.runs
    angle: float = options.angle

    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = [pool.apply(costs, (size, angle, runs)) for size in SIZES]
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

    print()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        grown = [pool.apply(cost_of_granules, (pixels, angle, runs)) for pixels in DIAMETERS]
    print_table(
        ["granule diameter at 1024", "granules seen", "layout, s", "render, s"],
        [
            [f"{pixels} px", f"{count:,}", f"{laying:.3f}", f"{drawing:.3f}"]
            for pixels, (count, laying, drawing) in zip(DIAMETERS, grown, strict=True)
        ],
    )


if __name__ == "__main__":
    main()
