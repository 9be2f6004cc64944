"""What was measured, as tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Json = Mapping[str, Any]


def show(told: Json) -> None:
    console = Console(highlight=False)
    for table in (_work(told), *_measured(told)):
        console.print(table)


def _work(told: Json) -> Table:
    table = _table(
        f"Work of one prediction, {told['quality']} at {told['angle']:g} degrees, SDXL, TFLOP",
        *("", "old procedure", "Plitka", "ratio"),
    )
    work = told["work_of_sdxl"]
    for part in ("unet", "controlnet", "vae"):
        old, new = work["old"][part], work["new"][part]
        table.add_row(part, f"{old:.1f}", f"{new:.1f}", f"{new / old:.3f}" if old else "")
    table.add_section()
    table.add_row("unet and controlnet", "", "", f"{work['denoising_ratio']:.3f}")
    every = f"{work['denoising_ratio_all_guided']:.3f}"
    table.add_row("the same, every step guided", "", "", every)
    table.add_row("all of it", "", "", f"{work['whole_ratio']:.3f}")
    return table


def _measured(told: Json) -> list[Table]:
    if "runs" not in told:
        return []
    pairs = told["runs"]
    title = f"Seconds, {told['model']} model, {len(pairs)} pairs, {told['device']}"
    runs = _table(title, "pair", "old procedure", "Plitka", "ratio")
    for number, pair in enumerate(pairs, 1):
        old, new = pair["old"]["seconds"], pair["new"]["seconds"]
        runs.add_row(str(number), f"{old:.2f}", f"{new:.2f}", f"{new / old:.3f}")
    runs.add_section()
    seconds, peak = told["seconds"], told["peak_mb"]
    medians = (f"{seconds[key]:.2f}" for key in ("old", "new"))
    runs.add_row("median", *medians, f"{seconds['ratio']:.3f}")
    runs.add_row("peak memory, MiB", f"{peak['old']:,.0f}", f"{peak['new']:,.0f}", "")
    stages = _table("Plitka's stages, seconds, last pair", "stage", "seconds")
    for name, value in pairs[-1]["new"]["stages"].items():
        stages.add_row(name, f"{value:.2f}")
    around = told["around_the_networks"]
    rest = _table("Around the networks, seconds, nothing overlapped", "stage", "seconds")
    for name, value in around["seconds"].items():
        rest.add_row(name, f"{value:.3f}")
    rest.add_section()
    rest.add_row("processor time of all", f"{around['processor_seconds']:.2f}")
    rest.add_row("share that overlaps", f"{100 * around['overlapping_share']:.0f}%")
    return [runs, stages, rest, _steps(told["speed"])]


def _steps(speed: Json) -> Table:
    """samples: two where a step is guided."""
    table = _table(
        "Single steps of Plitka's, UNet and ControlNet",
        *("pixels", "samples", "ControlNet", "ms", "TFLOP/s", "share of ceiling"),
    )
    for row in speed["steps"]:
        table.add_row(
            str(row["pixels"]),
            str(row["samples"]),
            "yes" if row["controlnet"] else "no",
            f"{row['milliseconds']:.1f}",
            f"{row['tflop_per_second']:.2f}",
            f"{100 * row['share_of_ceiling']:.0f}%",
        )
    table.caption = (
        f"Ceiling: {speed['ceiling_tflop_per_second']:.2f} TFLOP/s, one large matrix product"
    )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table
