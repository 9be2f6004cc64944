"""What was measured, as a chart. Needs matplotlib, which Plitka itself does without."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plitka.errors import EngineError

_KINDS = (".svg", ".png", ".pdf")
_COLORS = {"old": "#8a8f98", "new": "#c2452d", "new2": "#e8a08f"}


def check(path: Path) -> None:
    """Raise EngineError where no chart could be drawn there."""
    if path.suffix.lower() not in _KINDS:
        raise EngineError(f"--chart: got {path}; allowed: a file ending in {', '.join(_KINDS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise EngineError(
            "--chart: needs matplotlib; run pip install matplotlib, or leave the option out"
        )


def draw(told: Mapping[str, Any], path: Path) -> None:
    """Bars: the old procedure's work and seconds, Plitka's beside them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = "seconds" in told
    figure = Figure(figsize=(9 if measured else 5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
    _work(axes[0], told["work_of_sdxl"])
    if measured:
        _seconds(axes[1], told)
    place = f"{told['quality']}, {told['angle']:g} degrees"
    figure.suptitle(f"Old procedure and Plitka: {place}", fontsize=11)
    figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)


def _work(axis: Any, work: Mapping[str, Any]) -> None:
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


def _seconds(axis: Any, told: Mapping[str, Any]) -> None:
    pairs = told["runs"]
    for place, side in enumerate(("old", "new")):
        seconds = [pair[side]["seconds"] for pair in pairs]
        middle = told["seconds"][side]
        axis.bar(place, middle, width=0.6, color=_COLORS[side])
        axis.plot([place] * len(seconds), seconds, "o", color="black", markersize=3)
        axis.annotate(f"{middle:.1f} s", (place, max(seconds)), ha="center", va="bottom")
    axis.set_xticks([0, 1], ["old", "Plitka"])
    axis.set_ylabel(f"seconds, {told['model']} model, {len(pairs)} pairs")
    axis.set_ylim(0, 1.12 * max(pair["old"]["seconds"] for pair in pairs))
    axis.set_title(f"median of ratios {told['seconds']['ratio']:.2f}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
