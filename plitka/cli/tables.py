"""Tables for the terminal: shares of pictures, measurements, audits and palettes.

Measured shares stand with their intervals. Colours that are not told apart follow the line of their
group, which has their sum, and show their intervals alone.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from plitka.cli.terminal import open_console
from plitka.color.palette import Color
from plitka.color.words import Understood
from plitka.ground.zones import sum_up_shares
from plitka.measure.caption_audit import Finding
from plitka.measure.shares import Measurement
from plitka.printable import make_printable
from plitka.request.recipe import Recipe

INTERVALS = "In brackets: the percentages between which the true share lies in 9 of 10 cases."
"""Goes under tables of measured shares."""


_AUDIT_COLUMNS = ("Photograph", "Captioned", "Measured", "Off by", "Verdict")
_AUDIT_MARGINS = 10  # columns of a terminal between those
_NARROW = 80  # columns; a narrower terminal's captions are folded
_LEAST_CAPTIONED, _MOST_CAPTIONED = 12, 18
_NAME_OF_REST = 4 / 7  # of the width that figures leave; the verdict has what then remains


@dataclass(frozen=True)
class _Figures:
    """One column of shares, in the order of the colours.

    intervals, groups: of a measurement, as in `Measurement`; none where shares are exact.
    """

    shares: Sequence[float]
    intervals: Sequence[Sequence[float]] = ()
    groups: Sequence[Sequence[int]] = ()

    @classmethod
    def take(cls, measured: Measurement) -> "_Figures":
        return cls(measured.shares, measured.intervals, measured.groups)

    def write_share(self, color: int) -> str:
        """Write a share with its interval; the interval alone where only a sum is known."""
        if not self.intervals:
            return _format_percent(self.shares[color])
        interval = _format_interval(self.intervals[color])
        if any(color in group for group in self.groups):
            return interval
        return f"{_format_percent(self.shares[color])} {interval}"

    def write_sum(self, group: Sequence[int]) -> str:
        """Write the share of a group; nothing where this column tells its colours apart."""
        if self.intervals and tuple(group) not in map(tuple, self.groups):
            return ""
        return _format_percent(sum(self.shares[color] for color in group))


def show(*parts: Table | str) -> None:
    """Print tables and lines as wide as the terminal, in colours if the terminal has them."""
    for part in parts:
        open_console().print(_write(part) if isinstance(part, str) else part)


def tabulate_pictures(
    recipe: Recipe, kinds: Sequence[str], metrics: Mapping[str, Any]
) -> list[Table]:
    """Tabulate the requested shares and those of the pictures, and what else was measured.

    That is what a stranger measures on pictures whose shares are counted, and of matched ones what
    they showed as they were drawn. kinds: of the pictures. metrics: of the last picture.
    """
    tables = [_tabulate_shares(recipe, kinds, metrics)]
    if "zones" in metrics:
        tables.append(_tabulate_zones(metrics["zones"]))
    drawn = list(metrics["total_variation_measured"])
    if not drawn:
        return tables
    if metrics["matched"]:
        title = "As drawn, before matching:"
        tables.append(_tabulate_measured(title, recipe, drawn, metrics, "_before_matching"))
    elif set(drawn) <= set(metrics["counted"]):
        title = "Measured by a stranger, who knows only the colours:"
        tables.append(_tabulate_measured(title, recipe, drawn, metrics, ""))
    return tables


def _tabulate_shares(recipe: Recipe, kinds: Sequence[str], metrics: Mapping[str, Any]) -> Table:
    """Tabulate the requested shares and those of the pictures."""
    table = _make_table("Colour", "Requested", *(kind.capitalize() for kind in kinds))
    if set(kinds) <= set(metrics["counted"]):
        _set_title(table, "Counted on the layout:")
    columns = [_Figures([part.share for part in sum_up_shares(recipe)])]
    for kind in kinds:
        if kind in metrics["counted"]:
            columns.append(_Figures([color[kind] for color in metrics["colors"]]))
        else:
            columns.append(_read_measured(metrics, kind))
    _add_colors(table, _list_swatches(recipe), columns)
    _add_variation(table, "", *(metrics["total_variation"][kind] for kind in kinds))
    return table


def _tabulate_zones(zones: Sequence[Mapping[str, Any]]) -> Table:
    """Tabulate how large the zones of a surface are, and what is counted of each one's colours."""
    table = _make_table("Zone", "m²", "Line, m", "Colours")
    _set_title(table, "Zones:")
    for zone in zones:
        mix = ", ".join(f"{_format_percent(v)} {name}" for name, v in zone["shares"].items())
        line = f"{zone['line_m']:.2f}" if "line_m" in zone else ""
        table.add_row("", _write(zone["name"]), f"{zone['area_m2']:.3f}", line, _write(mix))
    return table


def _tabulate_measured(
    title: str, recipe: Recipe, kinds: Sequence[str], metrics: Mapping[str, Any], suffix: str
) -> Table:
    """Tabulate what was measured on pictures. suffix: of the metrics' names."""
    table = _make_table("Colour", *(kind.capitalize() for kind in kinds))
    _set_title(table, title)
    columns = [_read_measured(metrics, kind, suffix) for kind in kinds]
    _add_colors(table, _list_swatches(recipe), columns)
    variation = metrics[f"total_variation{suffix or '_measured'}"]
    _add_variation(table, *(variation[kind] for kind in kinds))
    return table


def tabulate_measurement(
    colors: Mapping[str, Color], measured: Measurement, requested: Sequence[float]
) -> Table:
    """Tabulate the shares measured on one picture. requested: shares to compare with, or empty."""
    table = _make_table("Colour", *(["Requested"] if requested else []), "Share", "CIEDE2000")
    swatches = [(color.hex, name) for name, color in colors.items()]
    columns = [*([_Figures(requested)] if requested else []), _Figures.take(measured)]
    differences = ["" if d is None else f"{d:.1f}" for d in measured.differences]
    _add_colors(table, swatches, columns, differences)
    if requested:
        _add_variation(table, "", measured.compare(requested), "")
    return table


def tabulate_match(recipe: Recipe, before: Measurement, after: Measurement) -> Table:
    """Tabulate shares before and after matching."""
    table = _make_table("Colour", "Requested", "Before", "After")
    requested = [part.share for part in recipe.shares]
    columns = [_Figures(requested), _Figures.take(before), _Figures.take(after)]
    _add_colors(table, _list_swatches(recipe), columns)
    _add_variation(table, "", before.compare(requested), after.compare(requested))
    return table


def write_rest(measured: Measurement) -> str:
    """Write how much of a picture shows none of the colours that were looked for."""
    rest = f"{_format_percent(measured.gaps)} of the picture is gaps and deep shadow, "
    return rest + f"{_format_percent(measured.undecided)} undecided or of other colours."


def write_notes(notes: Sequence[str]) -> list[str]:
    """Write what was done to a picture as it was read, as one line; none where nothing was."""
    return [f"As it was read: {'; '.join(notes)}."] if notes else []


_SOURCES = {"css": "a name of CSS", "ral": "RAL Classic", "russian": "Russian"}


def write_understood(words: Iterable[Understood]) -> list[str]:
    """Write what words that the palette itself has not were understood as, a line for each."""
    return [
        f'"{said.word}" is {said.color.hex if said.nearest else said.color.phrase}'
        f" ({_SOURCES[said.source]})"
        + (f"; nearest in the palette: {', '.join(said.nearest)}" if said.nearest else "")
        for said in words
        if said.source in _SOURCES
    ]


class AuditTable:
    """A table of photographs that grows while they are audited, so its columns are set before.

    Each row tells a photograph's caption, its measured shares, and whether the caption lies.
    """

    def __init__(self, console: Console, folder: Path, phrases: Iterable[str]) -> None:
        """console: to print on. folder: whose photographs they are. phrases: of the palette."""
        self._console, self._folder = console, folder
        longest = len("100% ") + max(map(len, phrases))
        captioned = min(max(longest, len("Captioned")), _MOST_CAPTIONED)
        if console.width < _NARROW:
            captioned = min(captioned, _LEAST_CAPTIONED)
        figures = (captioned, len("100.0% (96-100)"), len("100.0%"))
        rest = max(console.width - sum(figures) - _AUDIT_MARGINS, 2)
        name = round(rest * _NAME_OF_REST)
        self._widths = (name, *figures, rest - name)

    def begin(self) -> None:
        """Print the headings."""
        self._console.print()
        self._print_row(Text(title, style="bold") for title in _AUDIT_COLUMNS)
        line = "-" if self._console.options.ascii_only else "─"
        self._console.print(Rule(style="", characters=line))

    def add(self, finding: Finding) -> None:
        """Print the row of one photograph."""
        captioned, measured, off = "", "", ""
        if finding.caption and finding.measured and finding.total_variation is not None:
            parts = list(zip(finding.caption.colors, finding.caption.percent, strict=True))
            captioned = "\n".join(make_printable(f"{part:g}% {c.phrase}") for c, part in parts)
            figures = _Figures.take(finding.measured)
            measured = "\n".join(map(figures.write_share, range(len(parts))))
            off = _format_percent(finding.total_variation)
        name = _write(str(finding.file.relative_to(self._folder)))
        verdict = _write(_write_verdict(finding))
        self._print_row([name, Text(captioned), Text(measured), Text(off), verdict])

    def _print_row(self, cells: Iterable[RenderableType]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        for title, width in zip(_AUDIT_COLUMNS, self._widths, strict=True):
            right = title in ("Measured", "Off by")
            table.add_column(width=width, justify="right" if right else "left", overflow="fold")
        table.add_row(*cells)
        self._console.print(table)


def _write_verdict(finding: Finding) -> str:
    """Write a verdict with its reason, which colours are not told apart, and the notes."""
    reason = finding.reason.split(" Known: ")[0]  # the whole palette, 45 lines high
    parts = [finding.verdict + (f": {reason}" if reason else "")]
    if finding.caption and finding.measured:
        figures, colors = _Figures.take(finding.measured), finding.caption.colors
        for group in finding.measured.groups:
            names = " + ".join(colors[color].phrase for color in group)
            parts.append(f"{names}, not told apart: {figures.write_sum(group)}")
    return "; ".join([*parts, *finding.notes])


def tabulate_calibration(rows: Iterable[Mapping[str, str]]) -> Table:
    """Tabulate the rows of a palette that was measured."""
    table = _make_table("Code", "Phrase", "sRGB", "L*")
    for row in rows:
        figures = (row["median_srgb"], row["L_median"])
        names = (_write(row["code"]), _write(row["caption"]))
        table.add_row(_make_swatch(row["median_srgb"]), *names, *figures)
    return table


def tabulate_palette(colors: Iterable[Color]) -> Table:
    """Tabulate named colours."""
    table = _make_table("Phrase", "Code", "sRGB", "L*")
    for color in colors:
        code, lightness = color.hex, f"{color.lab[0]:.0f}"
        names = (_write(color.phrase), _write(color.code))
        table.add_row(_make_swatch(code), *names, code, lightness)
    return table


def _set_title(table: Table, title: str) -> None:
    table.title, table.title_justify, table.title_style = title, "left", ""


def _list_swatches(recipe: Recipe) -> list[tuple[str, str]]:
    return [(part.color.hex, part.name) for part in sum_up_shares(recipe)]


def _read_measured(metrics: Mapping[str, Any], kind: str, suffix: str = "") -> _Figures:
    """Read what was measured on a picture. suffix: of the metrics' names."""
    colors = metrics["colors"]
    places = {color["name"]: place for place, color in enumerate(colors)}
    return _Figures(
        [color[suffix.strip("_") or "measured"][kind] for color in colors],
        [color[f"intervals{suffix}"][kind] for color in colors],
        [[places[name] for name in group] for group in metrics[f"groups{suffix}"][kind]],
    )


def _add_colors(
    table: Table,
    swatches: Sequence[tuple[str, str]],
    columns: Sequence[_Figures],
    notes: Sequence[str] = (),
) -> None:
    """Add a row for each colour, and one for each group above its colours.

    swatches: hex and name of each colour. notes: a last column of texts, one for each colour.
    """
    groups = sorted({tuple(group) for column in columns for group in column.groups})
    for cluster in _cluster_colors(len(swatches), groups):
        for group in groups:
            if cluster.issuperset(group):
                name = " + ".join(swatches[color][1] for color in group) + ", not told apart"
                table.add_row("", _write(name), *(column.write_sum(group) for column in columns))
        for color in sorted(cluster):
            hex_code, name = swatches[color]
            cells = [column.write_share(color) for column in columns]
            cells += notes[color : color + 1]
            indent = 0 if len(cluster) == 1 else 2
            table.add_row(_make_swatch(hex_code), Padding(_write(name), (0, 0, 0, indent)), *cells)


def _cluster_colors(count: int, groups: Iterable[Sequence[int]]) -> list[set[int]]:
    """Part colours 0 to count - 1 into sets that no group joins, in the order of their firsts."""
    clusters = [{color} for color in range(count)]
    for group in groups:
        joined = [cluster for cluster in clusters if cluster.intersection(group)]
        clusters = [cluster for cluster in clusters if cluster not in joined]
        clusters.append(set().union(*joined))
    return sorted(clusters, key=min)


def _add_variation(table: Table, *cells: float | str) -> None:
    table.add_section()
    written = (cell if isinstance(cell, str) else _format_percent(cell) for cell in cells)
    table.add_row("", "total variation", *written)


def _make_table(*headers: str) -> Table:
    """Make a table with columns for a swatch, names, and figures, which are never wrapped."""
    table = Table("", headers[0], box=box.SIMPLE_HEAD)
    for header in headers[1:]:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _write(text: str) -> RenderableType:
    """Write what comes from outside as it is: no markup, no emoji, nothing that moves a cursor."""
    return Text(make_printable(text))


def _make_swatch(hex_code: str) -> Text:
    return Text("    ", style=f"on {hex_code}")


def _format_percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _format_interval(interval: Sequence[float]) -> str:
    """Format an interval in whole percents, which take it in: (31-62)."""
    low, high = (round(100 * end, 3) for end in interval)
    return f"({math.floor(low)}-{math.ceil(high)})"
