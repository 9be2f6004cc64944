"""What the command line found, as tables for the terminal."""

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
    """Print the table as wide as the terminal, in colours where it shows them."""
    Console(highlight=False).print(table)


def tabulate_pictures(asked: Recipe, kinds: Sequence[str], metrics: Mapping[str, Any]) -> Table:
    """Requested and measured shares; what the engine drew stands beside its matched picture."""
    before = list(metrics["total_variation_before_matching"]) if metrics["matched"] else []
    drawn = [f"{kind.capitalize()} as drawn" for kind in before]
    table = _table("Colour", "Requested", *drawn, *(kind.capitalize() for kind in kinds))
    for part, measured in zip(asked.shares, metrics["colors"], strict=True):
        shares = [measured["requested"], *(measured["before_matching"][kind] for kind in before)]
        shares += [measured[kind] for kind in kinds]
        table.add_row(make_swatch(part.color.hex), part.name, *map(format_percent, shares))
    table.add_section()
    variation = [metrics["total_variation_before_matching"][kind] for kind in before]
    variation += [metrics["total_variation"][kind] for kind in kinds]
    table.add_row("", "total variation", "", *map(format_percent, variation))
    return table


def tabulate_measurement(
    colors: Mapping[str, Color], found: Measurement, asked: Sequence[float] | None
) -> Table:
    """Shares measured on one picture, beside those asked for where there are any."""
    table = _table("Colour", *(["Requested"] if asked else []), "Share", "CIEDE2000")
    for place, (name, color) in enumerate(colors.items()):
        difference = found.differences[place]
        table.add_row(
            make_swatch(color.hex),
            name,
            *([format_percent(asked[place])] if asked else []),
            format_percent(found.shares[place]),
            "" if difference is None else f"{difference:.1f}",
        )
    unseen = f"{format_percent(found.gaps)} of the picture is gaps and deep shadow, "
    unseen += f"{format_percent(found.undecided)} undecided or of other colours"
    if asked:
        variation = total_variation(found.shares, asked)
        unseen = f"total variation {format_percent(variation)}; {unseen}"
    table.caption = unseen
    return table


def tabulate_match(asked: Recipe, before: Measurement, after: Measurement) -> Table:
    """Shares before and after matching."""
    table = _table("Colour", "Requested", "Before", "After")
    for part, *shares in zip(asked.shares, before.shares, after.shares, strict=True):
        row = map(format_percent, (part.share, *shares))
        table.add_row(make_swatch(part.color.hex), part.name, *row)
    table.add_section()
    requested = [part.share for part in asked.shares]
    off = (total_variation(found.shares, requested) for found in (before, after))
    table.add_row("", "total variation", "", *map(format_percent, off))
    return table


def tabulate_audit(findings: Iterable[Finding]) -> Table:
    """One row for each photograph: what its caption says, what it shows, and whether it lies."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Photograph", overflow="fold", ratio=4)
    table.add_column("Captioned", overflow="fold", ratio=3)
    table.add_column("Measured", justify="right", no_wrap=True)
    table.add_column("Off by", justify="right", no_wrap=True)
    table.add_column("Verdict", overflow="fold", ratio=3)
    for finding in findings:
        said, shown, off = "", "", ""
        if finding.caption and finding.measured and finding.total_variation is not None:
            parts = zip(finding.caption.colors, finding.caption.percent, strict=True)
            said = "\n".join(f"{part:g}% {color.phrase}" for color, part in parts)
            shown = "\n".join(map(format_percent, finding.measured.shares))
            off = format_percent(finding.total_variation)
        reason = finding.reason.split(" Known: ")[0]  # the whole palette, 45 lines high
        verdict = finding.verdict + (f": {reason}" if reason else "")
        table.add_row(finding.file.name, said, shown, off, verdict)
    return table


def tabulate_calibration(rows: Iterable[Mapping[str, str]]) -> Table:
    """The colours that were measured, as they stand in the new palette."""
    table = _table("Code", "Phrase", "sRGB", "L*")
    for row in rows:
        figures = (row["median_srgb"], row["L_median"])
        table.add_row(make_swatch(row["median_srgb"]), row["code"], row["caption"], *figures)
    return table


def tabulate_palette(colors: Iterable[Color]) -> Table:
    """The colours that have names."""
    table = _table("Phrase", "Code", "sRGB", "L*")
    for color in colors:
        code, lightness = color.hex, f"{color.lab[0]:.0f}"
        table.add_row(make_swatch(code), color.phrase, color.code, code, lightness)
    return table


def _table(*headers: str) -> Table:
    """Room for a swatch, names, and figures, which are never cut."""
    table = Table("", headers[0], box=box.SIMPLE_HEAD)
    for header in headers[1:]:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def make_swatch(code: str) -> Text:
    return Text("    ", style=f"on {code}")


def format_percent(share: float) -> str:
    return f"{100 * share:.1f}%"
