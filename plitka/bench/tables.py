"""The report of a benchmark as tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show(report: Mapping[str, Any]) -> None:
    """Print all tables of a report of `compare`, or of `count_work`, which has fewer."""
    console = Console(highlight=False)
    for table in (_tabulate_work(report), *_tabulate_runs(report)):
        console.print(table)


def _tabulate_work(report: Mapping[str, Any]) -> Table:
    table = _make_table(
        f"Work of one prediction, {report['quality']} at {report['angle']:g} degrees, SDXL, TFLOP",
        "",
        "old procedure",
        "Plitka",
        "ratio",
    )
    work = report["work_of_sdxl"]
    for part in ("unet", "controlnet", "vae"):
        old, new = work["old"][part], work["new"][part]
        table.add_row(part, f"{old:.1f}", f"{new:.1f}", f"{new / old:.3f}" if old else "")
    table.add_section()
    table.add_row("unet and controlnet", "", "", f"{work['denoising_ratio']:.3f}")
    every = f"{work['denoising_ratio_all_guided']:.3f}"
    table.add_row("the same, every step guided", "", "", every)
    table.add_row("all of it", "", "", f"{work['whole_ratio']:.3f}")
    return table


def _tabulate_runs(report: Mapping[str, Any]) -> list[Table]:
    if "runs" not in report:
        return []
    pairs = report["runs"]
    title = f"Seconds, {report['model']} model, {len(pairs)} pairs, {report['device']}"
    runs = _make_table(title, "pair", "old procedure", "Plitka", "ratio")
    for number, pair in enumerate(pairs, 1):
        old, new = pair["old"]["seconds"], pair["new"]["seconds"]
        runs.add_row(str(number), f"{old:.2f}", f"{new:.2f}", f"{new / old:.3f}")
    runs.add_section()
    seconds, peak = report["seconds"], report["peak_mb"]
    medians = (f"{seconds[key]:.2f}" for key in ("old", "new"))
    runs.add_row("median", *medians, f"{seconds['ratio']:.3f}")
    runs.add_row("peak memory, MiB", f"{peak['old']:,.0f}", f"{peak['new']:,.0f}", "")
    stages = _make_table("Plitka's stages, seconds, last pair", "stage", "seconds")
    for name, value in pairs[-1]["new"]["stages"].items():
        stages.add_row(name, f"{value:.2f}")
    around = report["around_the_networks"]
    rest = _make_table("Around the networks, seconds, nothing overlapped", "stage", "seconds")
    for name, value in around["seconds"].items():
        rest.add_row(name, f"{value:.3f}")
    rest.add_section()
    rest.add_row("processor time of all", f"{around['processor_seconds']:.2f}")
    rest.add_row("share that overlaps", f"{100 * around['overlapping_share']:.0f}%")
    return [runs, stages, rest, _tabulate_steps(report["speed"])]


def _tabulate_steps(speed: Mapping[str, Any]) -> Table:
    """Tabulate the speed of each kind of step; a guided one has two samples."""
    table = _make_table(
        "Single steps of Plitka's, UNet and ControlNet",
        "pixels",
        "samples",
        "ControlNet",
        "UNet",
        "ms",
        "TFLOP/s",
        "share of ceiling",
    )
    for row in speed["steps"]:
        table.add_row(
            str(row["pixels"]),
            str(row["samples"]),
            "yes" if row["controlnet"] else "no",
            "whole" if row["deep"] else "shallow",
            f"{row['milliseconds']:.1f}",
            f"{row['tflop_per_second']:.2f}",
            f"{100 * row['share_of_ceiling']:.0f}%",
        )
    table.caption = (
        f"Ceiling: {speed['ceiling_tflop_per_second']:.2f} TFLOP/s, one large matrix product"
    )
    return table


def _make_table(title: str, *columns: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    return table
