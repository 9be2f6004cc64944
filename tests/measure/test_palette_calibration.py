import os
import resource
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from plitka.color import cielab, palette
from plitka.color.tone import compute_tone
from plitka.images import png
from plitka.measure import palette_calibration
from plitka.measure.palette_calibration import (
    CalibrationError,
    Event,
    LeftOut,
    Sampled,
    calibrate,
    write_palette,
)
from plitka.settings import Settings
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked

ROOT = Path(__file__).parents[2]
BUILT_IN = palette.load()

Photograph = Callable[..., Path]


@pytest.fixture
def photograph(tmp_path: Path) -> Photograph:
    """Save a tile as tmp_path/CODE/NUMBER.png: `photograph("RED", {"red": 100}, phrase="rot")`."""

    def photograph(
        code: str,
        shown: dict[str, float],
        phrase: str | None = None,
        size: int = 400,
        number: int = 1,
    ) -> Path:
        folder = tmp_path / code
        folder.mkdir(exist_ok=True)
        file = folder / f"{number}.png"
        png.save(render.render_picture(lay(asked(shown, 20, number)), size), file, {})
        if phrase is not None:
            (folder / "phrase.txt").write_text(phrase, encoding="utf-8")
        return file

    return photograph


def difference(one: palette.Color, other: palette.Color) -> float:
    return float(cielab.ciede2000(one.lab, other.lab))


@pytest.mark.parametrize("code", ["RED", "BLACK", "WHITE", "PEARL", "DKGREEN"])
def test_the_palette_gets_the_color_that_the_photographs_show(
    photograph: Photograph, tmp_path: Path, code: str
) -> None:
    photograph(code, {code: 100})
    written = tmp_path / "ours.csv"
    palette_calibration.write_palette(calibrate(tmp_path, palette.load()), written)
    measured = palette.load(written).find(code)
    true = BUILT_IN.find(code)
    assert (measured.code, measured.phrase) == (true.code, true.phrase)
    assert difference(measured, true) < 1.5
    assert measured.srgb == pytest.approx(true.srgb, abs=6)
    assert measured.lightness == pytest.approx(true.lightness, abs=8)
    off = np.abs(compute_tone(measured) - compute_tone(true))
    assert len(measured.tone) == len(off)
    assert off.mean() < 3


def test_a_code_may_show_another_color_than_the_built_in_one(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("RED", {"terracotta": 100})
    palette_calibration.write_palette(calibrate(tmp_path, palette.load()), tmp_path / "ours.csv")
    measured = palette.load(tmp_path / "ours.csv").find("red")
    assert difference(measured, BUILT_IN.find("terracotta")) < 1.5


def test_all_photographs_of_a_color_count(photograph: Photograph, tmp_path: Path) -> None:
    photograph("GRAY", {"dark gray": 100})
    photograph("GRAY", {"light gray": 100}, number=2)
    (row,) = calibrate(tmp_path, palette.load())
    assert row["measured_from"].startswith("2 photographs")
    dark, light = (BUILT_IN.find(name).lab[0] for name in ("dark gray", "light gray"))
    assert dark + 5 < float(row["L_median"]) < light - 5


def test_a_new_code_has_the_phrase_beside_its_photographs(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("OCHRE2", {"sand": 100}, phrase="warm ochre\n")
    photograph("ROSE", {"pink": 100})
    assert [(r["code"], r["caption"]) for r in calibrate(tmp_path, palette.load())] == [
        ("OCHRE2", "warm ochre"),
        ("ROSE", "rose"),
    ]


def test_colors_of_other_codes_stay_in_the_file(photograph: Photograph, tmp_path: Path) -> None:
    written = tmp_path / "ours.csv"
    photograph("ROSE", {"pink": 100})
    palette_calibration.write_palette(calibrate(tmp_path, palette.load()), written)
    photograph("OCHRE", {"sand": 100})
    (tmp_path / "ROSE" / "1.png").unlink()
    palette_calibration.write_palette(calibrate(tmp_path, palette.load()), written)
    added = [color.code for color in palette.load(written).colors][-2:]
    assert added == ["ROSE", "OCHRE"]
    assert not list(tmp_path.glob("*.new"))


def test_a_calibrated_color_is_known_everywhere_once_the_environment_names_its_file(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("RED", {"terracotta": 100})
    photograph("OCHRE", {"sand": 100}, phrase="warm ochre")
    ours = tmp_path / "ours.csv"

    def plitka(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "plitka", *arguments],
            cwd=ROOT,
            env={**os.environ, "PLITKA_PALETTE": str(ours)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert str(ours) in plitka("calibrate", str(tmp_path)).replace("\n", "")
    file = str(tmp_path / "OCHRE" / "1.png")
    assert "100.0%" in plitka("measure", file, "--colors", "warm ochre")
    listed = plitka("palette")
    assert "warm ochre" in listed
    assert "sand" in listed
    own = Settings({"PLITKA_PALETTE": str(ours)}).palette_file
    known = palette.load(own).find("red")
    assert known.lab[0] == pytest.approx(BUILT_IN.find("terracotta").lab[0], abs=2)


def test_an_own_palette_may_not_name_two_colors_alike(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("OCHRE", {"sand": 100}, phrase="warm ochre")
    ours = tmp_path / "ours.csv"
    palette_calibration.write_palette(calibrate(tmp_path, palette.load()), ours)
    ours.write_text(ours.read_text("utf-8").replace("warm ochre", "dark green"), "utf-8")
    with pytest.raises(ValueError, match='"dark green" names both DKGREEN and OCHRE'):
        palette.load(ours)


def test_a_folder_without_photographs_says_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "RED").mkdir()
    (tmp_path / "RED" / "phrase.txt").write_text("red")
    with pytest.raises(CalibrationError, match=r"no photographs found; .*DKGREEN/1\.jpg"):
        calibrate(tmp_path, palette.load())


@pytest.mark.parametrize(
    "shown",
    [{"red": 50, "blue": 50}, {"black": 50, "white": 50}, {"red": 80, "blue": 20}],
    ids=lambda shown: "+".join(f"{name}{share}" for name, share in shown.items()),
)
def test_a_photograph_of_two_colors_is_left_out_and_told(
    photograph: Photograph, tmp_path: Path, shown: dict[str, float]
) -> None:
    photograph("RED", {"red": 100})
    alone = calibrate(tmp_path, palette.load())
    file = photograph("RED", shown, number=2, size=512)
    told: list[Event] = []
    assert calibrate(tmp_path, palette.load(), told.append) == alone
    assert LeftOut(file, "shows more than one colour") in told


def test_colors_of_photographs_that_are_done_in_any_order_are_the_same(
    photograph: Photograph, tmp_path: Path
) -> None:
    for number in range(1, 4):
        photograph("RED", {"red": 100}, size=256, number=number)
        photograph("BLUE", {"blue": 100}, size=256, number=number)
    told: list[Event] = []
    rows = calibrate(tmp_path, palette.load(), told.append)
    assert [row["code"] for row in rows] == ["BLUE", "RED"]
    assert [type(event) for event in told].count(Sampled) == 6
    for code, row in zip(("BLUE", "RED"), rows, strict=True):
        (tmp_path / "alone").mkdir(exist_ok=True)
        (tmp_path / code).rename(tmp_path / "alone" / code)  # three are done one after another
        assert calibrate(tmp_path / "alone", palette.load()) == [row]
        (tmp_path / "alone" / code).rename(tmp_path / code)


def test_a_photograph_of_too_few_pixels_is_refused(photograph: Photograph, tmp_path: Path) -> None:
    photograph("RED", {"red": 100}, size=64)
    with pytest.raises(CalibrationError, match=r"1\.png: 64x64 pixels are too few"):
        calibrate(tmp_path, palette.load())


@pytest.mark.parametrize("code", ["red", "DK-GREEN", "R", "1RED", "A" * 17])
def test_a_folder_that_is_no_code_is_refused(
    photograph: Photograph, tmp_path: Path, code: str
) -> None:
    photograph(code, {"red": 100}, size=128)
    with pytest.raises(CalibrationError, match=f"'{code}' is no colour code"):
        calibrate(tmp_path, palette.load())


@pytest.mark.parametrize("phrase", ["Dark Ochre", "ochre, warm", "", "a b c d e", "50% ochre"])
def test_a_phrase_that_a_prompt_cannot_hold_is_refused(
    photograph: Photograph, tmp_path: Path, phrase: str
) -> None:
    photograph("OCHRE", {"sand": 100}, phrase, size=128)
    with pytest.raises(CalibrationError, match=r"phrase\.txt: .* is no phrase"):
        calibrate(tmp_path, palette.load())


@pytest.mark.parametrize(
    ("code", "phrase", "message"),
    [
        ("OCHRE", "dark green", '"dark green" names the colour DKGREEN already'),
        ("OCHRE", "dark-grey", '"dark-grey" names the colour DKGRAY already'),
        ("OCHRE", "tercot", '"tercot" names the colour TERCOT already'),
        ("SAND2", "rose", '"rose" names the colour ROSE already'),
    ],
)
def test_a_phrase_of_another_color_is_left_out_and_told(
    photograph: Photograph, tmp_path: Path, code: str, phrase: str, message: str
) -> None:
    photograph("ROSE", {"pink": 100}, size=128)
    photograph(code, {"sand": 100}, phrase, size=128)
    told: list[Event] = []
    assert [row["code"] for row in calibrate(tmp_path, palette.load(), told.append)] == ["ROSE"]
    (left_out,) = (event for event in told if isinstance(event, LeftOut))
    assert left_out.file == tmp_path / code
    assert message in left_out.reason


def test_a_phrase_whose_owner_could_not_be_measured_anew_is_still_taken(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("CRIMSON", {"red": 100}, "red", size=128)
    photograph("OCHRE", {"sand": 100}, size=128)
    photograph("RED", {"terracotta": 100}, "brick", size=128).write_bytes(b"")
    rows = calibrate(tmp_path, palette.load())
    assert [row["code"] for row in rows] == ["OCHRE"]
    palette_calibration.write_palette(rows, tmp_path / "ours.csv")
    assert palette.load(tmp_path / "ours.csv").find("red").code == "RED"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-8"])
def test_a_phrase_is_read_as_editors_save_it(
    photograph: Photograph, tmp_path: Path, encoding: str
) -> None:
    photograph("OCHRE", {"sand": 100}, size=128)
    (tmp_path / "OCHRE" / "phrase.txt").write_text("warm ochre\r\n", encoding)
    assert [row["caption"] for row in calibrate(tmp_path, palette.load())] == ["warm ochre"]


def test_a_palette_that_cannot_be_written_stays_as_it_was(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("RED", {"red": 100})
    rows = calibrate(tmp_path, palette.load())
    written = tmp_path / "ours.csv"
    palette_calibration.write_palette(rows, written)
    before = written.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # in the middle, as a full disk
    try:
        with pytest.raises(palette.PaletteError, match=r"ours\.csv: cannot be written \(File too"):
            palette_calibration.write_palette(rows, written)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert written.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["ours.csv"]


def test_a_code_that_makes_no_phrase_needs_one_of_its_own(
    photograph: Photograph, tmp_path: Path
) -> None:
    photograph("OCHRE2", {"sand": 100})
    with pytest.raises(CalibrationError, match=r'"ochre2" is no phrase; write one to phrase\.txt'):
        calibrate(tmp_path, palette.load())


def test_two_that_write_one_palette_at_once_lose_no_rows(tmp_path: Path) -> None:
    own = tmp_path / "ours.csv"
    (first, *_) = palette.read_rows(palette.PALETTE_FILE)

    def write(place: int) -> None:
        for number in range(20):
            letters = "".join("abcdefghij"[int(digit)] for digit in f"{place}{number:02}")
            row = {**first, "code": f"C{place}X{number}", "caption": f"tone {letters}"}
            write_palette([row], own)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(palette.read_rows(own)) == 80
