"""The report of a benchmark as a bar chart. Needs matplotlib, which nothing else needs."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plitka.errors import EngineError

_SUFFIXES = (".svg", ".png", ".pdf")
_COLORS = {"old": "#8a8f98", "new": "#c2452d"}


def check(path: Path) -> None:
    """Raise EngineError if the path has another suffix, or matplotlib is missing."""
    if path.suffix.lower() not in _SUFFIXES:
        raise EngineError(f"--chart: got {path}; allowed: a file ending in {', '.join(_SUFFIXES)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise EngineError(
            "--chart: needs matplotlib; run pip install matplotlib, or leave the option out"
        )


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Draw bars: work and, where they were measured, seconds of the old procedure and of Plitka.

    report: of `compare` or `count_work`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = "seconds" in report
    figure = Figure(figsize=(9 if measured else 5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
    _draw_work(axes[0], report["work_of_sdxl"])
    if measured:
        _draw_seconds(axes[1], report)
    place = f"{report['quality']}, {report['angle']:g} degrees"
    figure.suptitle(f"Old procedure and Plitka: {place}", fontsize=11)
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _draw_work(axis: Any, work: Mapping[str, Any]) -> None:
    bottoms = [0.0, 0.0]
    hatches = {"unet": None, "controlnet": "//", "vae": ".."}
    for part, hatch in hatches.items():
        heights = [work[side][part] for side in ("old", "new")]
        axis.bar(
            ["old", "Plitka"], heights, bottom=bottoms, hatch=hatch, label=part, width=0.6,
            color=[_COLORS["old"], _COLORS["new"]], edgecolor="white",
        )  # fmt: skip
        bottoms = [b + h for b, h in zip(bottoms, heights, strict=True)]
    for place, total in enumerate(bottoms):
        axis.annotate(f"{total:.0f}", (place, total), ha="center", va="bottom")
    axis.set_ylabel("TFLOP, SDXL, counted")
    axis.set_ylim(0, 1.12 * max(bottoms))
    axis.legend(fontsize=8, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_seconds(axis: Any, report: Mapping[str, Any]) -> None:
    pairs = report["runs"]
    for place, side in enumerate(("old", "new")):
        seconds = [pair[side]["seconds"] for pair in pairs]
        median = report["seconds"][side]
        axis.bar(place, median, width=0.6, color=_COLORS[side])
        axis.plot([place] * len(seconds), seconds, "o", color="black", markersize=3)
        axis.annotate(f"{median:.1f} s", (place, max(seconds)), ha="center", va="bottom")
    axis.set_xticks([0, 1], ["old", "Plitka"])
    axis.set_ylabel(f"seconds, {report['model']} model, {len(pairs)} pairs")
    axis.set_ylim(0, 1.12 * max(pair["old"]["seconds"] for pair in pairs))
    axis.set_title(f"median of ratios {report['seconds']['ratio']:.2f}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
