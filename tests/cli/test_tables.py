"""Tables as a terminal of 80 columns shows them."""

import re
from pathlib import Path
from typing import Any

import pytest

from plitka import pipeline
from plitka.cli import tables
from plitka.cli.main import main
from plitka.color import palette
from plitka.color.palette import Color
from plitka.engines.procedural import RenderEngine
from plitka.images import png
from plitka.measure.shares import Measurement
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked

EIGHT = {
    "green apple": 30,
    "light green": 20,
    "white-green": 10,
    "terracotta": 10,
    "dark green": 10,
    "turquoise": 10,
    "light gray": 5,
    "pearl": 5,
}
NAMES = {"white": "white", "Pearl": "pearl", "RED": "red"}


class Painter(RenderEngine):
    """Draws as one does who keeps to the layout only roughly."""

    draws_exactly = False


def show(capsys: pytest.CaptureFixture[str], *parts: Any) -> str:
    tables.show(*parts)
    return capsys.readouterr().out


def colors() -> dict[str, Color]:
    known = palette.load()
    return {name: known.find(phrase) for name, phrase in NAMES.items()}


def found(*groups: tuple[int, ...]) -> Measurement:
    """A measurement of white, pearl and red."""
    intervals = ((0.19, 0.544), (0.0, 0.3), (0.468, 0.521))
    return Measurement((0.5, 0.0, 0.5), intervals, groups, (1.0, None, 2.0), 0.1, 0.0)


def test_colors_that_are_not_told_apart_have_their_sum_on_one_line_and_intervals_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = tables.tabulate_measurement(colors(), found((0, 1)), (0.3, 0.2, 0.5))
    lines = [line.strip() for line in show(capsys, table).splitlines()]
    start = next(i for i, line in enumerate(lines) if "not told apart" in line)
    assert re.fullmatch(r"white \+ Pearl, not told apart +50\.0% +50\.0%", lines[start])
    assert re.fullmatch(r"white +30\.0% +\(19-55\) +1\.0", lines[start + 1])
    assert re.fullmatch(r"Pearl +20\.0% +\(0-30\)", lines[start + 2])
    assert re.fullmatch(r"RED +50\.0% +50\.0% \(46-53\) +2\.0", lines[start + 3])
    assert any(re.fullmatch(r"total variation +0\.0%", line) for line in lines)


def test_colors_that_are_told_apart_have_share_and_interval_on_their_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = show(capsys, tables.tabulate_measurement(colors(), found(), ()))
    assert "not told apart" not in shown
    assert re.search(r"white +50\.0% \(19-55\) +1\.0", shown)
    assert re.search(r"Pearl +0\.0% \(0-30\)", shown)


def test_a_group_of_one_picture_alone_has_no_sum_on_the_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = asked({"white": 30, "pearl": 20, "red": 50})
    shown = show(capsys, tables.tabulate_match(recipe, found((0, 1)), found()))
    (line,) = (line for line in shown.splitlines() if "not told" in line)
    assert line.count("50.0%") == 2  # requested, before
    assert re.search(r"white +30\.0% +\(19-55\) +50\.0% \(19-55\)", shown)
    assert re.search(r"total variation +0\.0% +20\.0%", shown)


@pytest.mark.parametrize("engine", [RenderEngine(), Painter()], ids=["counted", "measured"])
def test_eight_colors_fit_a_terminal(
    engine: RenderEngine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    recipe = asked(EIGHT)
    *_, last = pipeline.make(recipe, engine)
    shown = tables.tabulate_pictures(recipe, ["preview", "final", "colormap"], last.metrics)
    text = show(capsys, *shown, tables.INTERVALS)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for name in EIGHT:
        assert len(re.findall(rf"{name} .*\d", text)) >= 2, name
    title = "Measured by a stranger" if engine.draws_exactly else "As drawn, before matching"
    assert title in text


@pytest.mark.parametrize("columns", ["0", "1", "20", "59", "60", "9" * 21])
@pytest.mark.parametrize("command", ["palette", "measure", "audit"])
def test_no_width_of_a_terminal_hides_what_is_told(
    command: str,
    columns: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    file = tmp_path / "SANDp60_BLACKp40.png"
    png.save(render.render_picture(lay(asked({"sand": 60, "black": 40})), 256), file, {})
    arguments = {
        "palette": ("palette",),
        "measure": ("measure", str(file), "--colors", "sand=60,black=40"),
        "audit": ("audit", str(tmp_path)),
    }
    assert main(arguments[command]) == 0
    told = capsys.readouterr().out
    words = {
        "palette": ["DKGREEN", "dark green", "#"],
        "measure": ["Requested", "60.0%", "sand", "black", "CIEDE2000"],
        "audit": ["60% sand", "40% black", "true"],
    }
    for word in words[command]:
        assert word in told
    assert max(map(len, told.splitlines())) <= 1000
