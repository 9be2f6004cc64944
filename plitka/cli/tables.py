"""Tables for the terminal: shares of pictures, measurements, audits and palettes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plitka.color.palette import Color
from plitka.measure.caption_audit import Finding
from plitka.measure.shares import Measurement, total_variation
from plitka.request.recipe import Recipe


def show(table: Table) -> None:
    """Print a table as wide as the terminal, in colours if the terminal has them."""
    Console(highlight=False).print(table)


def tabulate_pictures(recipe: Recipe, kinds: Sequence[str], metrics: Mapping[str, Any]) -> Table:
    """Tabulate requested and measured shares; matched pictures also as the engine drew them.

    kinds: of the pictures. metrics: of the last picture.
    """
    before = list(metrics["total_variation_before_matching"]) if metrics["matched"] else []
    drawn = [f"{kind.capitalize()} as drawn" for kind in before]
    table = _make_table("Colour", "Requested", *drawn, *(kind.capitalize() for kind in kinds))
    for part, measured in zip(recipe.shares, metrics["colors"], strict=True):
        shares = [measured["requested"], *(measured["before_matching"][kind] for kind in before)]
        shares += [measured[kind] for kind in kinds]
        table.add_row(_make_swatch(part.color.hex), part.name, *map(_format_percent, shares))
    table.add_section()
    variation = [metrics["total_variation_before_matching"][kind] for kind in before]
    variation += [metrics["total_variation"][kind] for kind in kinds]
    table.add_row("", "total variation", "", *map(_format_percent, variation))
    return table


def tabulate_measurement(
    colors: Mapping[str, Color], measured: Measurement, requested: Sequence[float]
) -> Table:
    """Tabulate the shares measured on one picture. requested: shares to compare with, or empty."""
    table = _make_table("Colour", *(["Requested"] if requested else []), "Share", "CIEDE2000")
    for place, (name, color) in enumerate(colors.items()):
        difference = measured.differences[place]
        table.add_row(
            _make_swatch(color.hex),
            name,
            *([_format_percent(requested[place])] if requested else []),
            _format_percent(measured.shares[place]),
            "" if difference is None else f"{difference:.1f}",
        )
    rest = f"{_format_percent(measured.gaps)} of the picture is gaps and deep shadow, "
    rest += f"{_format_percent(measured.undecided)} undecided or of other colours"
    if requested:
        variation = total_variation(measured.shares, requested)
        rest = f"total variation {_format_percent(variation)}; {rest}"
    table.caption = rest
    return table


def tabulate_match(recipe: Recipe, before: Measurement, after: Measurement) -> Table:
    """Tabulate shares before and after matching."""
    table = _make_table("Colour", "Requested", "Before", "After")
    for part, *shares in zip(recipe.shares, before.shares, after.shares, strict=True):
        row = map(_format_percent, (part.share, *shares))
        table.add_row(_make_swatch(part.color.hex), part.name, *row)
    table.add_section()
    requested = [part.share for part in recipe.shares]
    variation = (total_variation(m.shares, requested) for m in (before, after))
    table.add_row("", "total variation", "", *map(_format_percent, variation))
    return table


def tabulate_audit(findings: Iterable[Finding]) -> Table:
    """Tabulate each photograph: its caption, its measured shares, and whether the caption lies."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Photograph", overflow="fold", ratio=4)
    table.add_column("Captioned", overflow="fold", ratio=3)
    table.add_column("Measured", justify="right", no_wrap=True)
    table.add_column("Off by", justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold", ratio=3)
    for finding in findings:
        captioned, measured, off = "", "", ""
        if finding.caption and finding.measured and finding.total_variation is not None:
            parts = zip(finding.caption.colors, finding.caption.percent, strict=True)
            captioned = "\n".join(f"{part:g}% {color.phrase}" for color, part in parts)
            measured = "\n".join(map(_format_percent, finding.measured.shares))
            off = _format_percent(finding.total_variation)
        reason = finding.reason.split(" Known: ")[0]  # the whole palette, 45 lines high
        verdict = finding.verdict + (f": {reason}" if reason else "")
        table.add_row(finding.file.name, captioned, measured, off, verdict)
    return table


def tabulate_calibration(rows: Iterable[Mapping[str, str]]) -> Table:
    """Tabulate the rows of a palette that was measured."""
    table = _make_table("Code", "Phrase", "sRGB", "L*")
    for row in rows:
        figures = (row["median_srgb"], row["L_median"])
        table.add_row(_make_swatch(row["median_srgb"]), row["code"], row["caption"], *figures)
    return table


def tabulate_palette(colors: Iterable[Color]) -> Table:
    """Tabulate named colours."""
    table = _make_table("Phrase", "Code", "sRGB", "L*")
    for color in colors:
        code, lightness = color.hex, f"{color.lab[0]:.0f}"
        table.add_row(_make_swatch(code), color.phrase, color.code, code, lightness)
    return table


def _make_table(*headers: str) -> Table:
    """Make a table with columns for a swatch, names, and figures, which are never wrapped."""
    table = Table("", headers[0], box=box.SIMPLE_HEAD)
    for header in headers[1:]:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _make_swatch(hex_code: str) -> Text:
    return Text("    ", style=f"on {hex_code}")


def _format_percent(share: float) -> str:
    return f"{100 * share:.1f}%"
