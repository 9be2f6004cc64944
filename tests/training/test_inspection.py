"""Inspection: what is wrong with photographs is told at once, and what they show is used."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from plitka.color import cielab, palette
from plitka.images.jpeg import encode_jpeg
from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare
from plitka.tile.layout import lay
from plitka.tile.render import render_picture
from plitka.training.inspection import Inspection, TrainingPhotograph, inspect
from plitka.training.options import TrainingOptions
from tests.support.tile_photographs import MIXTURES, write_photograph, write_photographs

KNOWN = palette.load()
AUDIT, AS_GIVEN = TrainingOptions(), TrainingOptions(captions="as-given")

Warned = Callable[[str], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photographs whose captions are true, and others of which each is odd in its own way."""
    folder = write_photographs(tmp_path_factory.mktemp("ours"))
    write_photograph(folder / "REDp20_BLACKp80.jpg", {"RED": 80, "BLACK": 20}, seed=1)
    write_photograph(folder / "REDp90_WHITEp10.jpg", {"RED": 45, "WHITE": 55}, seed=2)
    write_photograph(folder / "YELLOWp30_WHITEp70.jpg", {"RED": 30, "WHITE": 70}, seed=3)
    write_photograph(folder / "IMG_0001.jpg", {"RED": 50, "WHITE": 50}, seed=4)
    write_photograph(folder / "odd.jpg", {"WHITE": 40, "BLACK": 60}, seed=5)
    (folder / "odd.txt").write_text("60% black, 60% white", encoding="utf-8")
    shutil.copy(folder / "REDp60_WHITEp40.jpg", folder / "again.jpg")
    save_smaller(folder / "REDp60_WHITEp40.jpg", folder / "sub" / "REDp60_WHITEp40_2.jpg")
    (folder / "BRICK").mkdir()
    (folder / "BRICK" / "phrase.txt").write_text("brick red", encoding="utf-8")
    for number in (1, 2):
        write(folder / "BRICK" / f"{number}.jpg", {"BROWN": 100}, 10 + number)
        write(folder / "sub" / "YELLOW" / f"{number}.jpg", {"YELLOW": 100}, 20 + number)
    write(folder / "sub" / "YELLOW" / "3.jpg", {"RED": 50, "WHITE": 50}, 30)
    write(folder / "mixed.jpg", {"BROWN": 60, "WHITE": 40}, 31)
    (folder / "mixed.txt").write_text("60% brick red, 40% white", encoding="utf-8")
    (folder / "alone.txt").write_text("100% red", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> Inspection:
    return inspect(folder, AUDIT, KNOWN)


@pytest.fixture
def warned(found: Inspection) -> Warned:
    def warned(name: str) -> str:
        (line,) = [line for line in found.warnings if line.startswith(f"{name}: ")]
        return line

    return warned


def write(file: Path, shares: Mapping[str, int], seed: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_photograph(file, shares, 512, seed)


def save_smaller(one: Path, other: Path) -> None:
    """Save a photograph anew, as messengers do."""
    picture = cv2.imread(str(one))
    assert picture is not None
    other.parent.mkdir(parents=True, exist_ok=True)
    small = cv2.resize(picture, (480, 480), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(other), small, [cv2.IMWRITE_JPEG_QUALITY, 60])


def named(found: Inspection, name: str) -> TrainingPhotograph:
    (one,) = [one for one in found.photographs if one.name == name]
    return one


def used(one: TrainingPhotograph) -> dict[str, float]:
    """The caption that is used, in percent."""
    pairs = zip(one.colors, one.shares, strict=True)
    return {color.phrase: round(100 * share, 6) for color, share in pairs}


# What is used


def test_nothing_stops_a_folder_of_which_all_can_be_used(found: Inspection) -> None:
    assert found.faults == ()
    names = [one.name for one in found.photographs]
    assert names == sorted(names)
    assert "REDp20_WHITEp60_BLACKp20.jpg" in names
    assert "sub/YELLOW/1.jpg" in names


def test_true_captions_are_used_as_they_are(found: Inspection) -> None:
    one = named(found, "REDp40_WHITEp30_BLACKp30.jpg")
    assert used(one) == {"red": 40, "white": 30, "black": 30}
    assert (one.origin, one.given) == ("given", "40% red, 30% white, 30% black")
    assert one.measured == pytest.approx((0.4, 0.3, 0.3), abs=0.05)
    assert one.size == (512, 512)
    assert len(one.digest) == 64


def test_granules_are_scaled_to_the_size_that_they_have_at_1024(found: Inspection) -> None:
    of_renders = [one.scale for one in found.photographs if one.size == (512, 512)]
    assert np.median(of_renders) == pytest.approx(2, rel=0.1)
    assert max(of_renders) < 2.5
    assert min(of_renders) > 1.6


def test_photographs_from_one_distance_have_one_scale(found: Inspection) -> None:
    scales = [one.scale for one in found.photographs if one.size == (512, 512)]
    assert len(scales) > 8
    assert len(set(scales)) == 1


def test_a_swapped_caption_is_corrected_and_told_with_both(
    found: Inspection, warned: Warned
) -> None:
    one = named(found, "REDp20_BLACKp80.jpg")
    assert used(one) == {"red": 80, "black": 20}
    assert (one.origin, one.given) == ("corrected", "20% red, 80% black")
    told = warned("REDp20_BLACKp80.jpg")
    assert "20% red, 80% black" in told
    assert "80% red, 20% black" in told


def test_other_shares_are_replaced_by_the_measured_ones(found: Inspection) -> None:
    one = named(found, "REDp90_WHITEp10.jpg")
    assert used(one) == pytest.approx({"red": 45, "white": 55}, abs=4)
    assert one.origin == "corrected"
    assert sum(one.shares) == pytest.approx(1)


def test_colors_that_are_not_there_are_replaced_by_those_that_are(found: Inspection) -> None:
    one = named(found, "YELLOWp30_WHITEp70.jpg")
    assert used(one) == pytest.approx({"red": 30, "white": 70}, abs=4)
    assert (one.origin, one.given) == ("corrected", "30% yellow, 70% white")


@pytest.mark.parametrize(
    ("name", "shows", "reason"),
    [
        ("IMG_0001.jpg", {"red": 50, "white": 50}, "its name is no caption"),
        ("odd.jpg", {"white": 40, "black": 60}, "add up to 120%"),
        ("sub/YELLOW/3.jpg", {"red": 50, "white": 50}, "YELLOW"),
    ],
)
def test_a_caption_that_cannot_be_read_is_measured_and_told(
    found: Inspection, warned: Warned, name: str, shows: dict[str, float], reason: str
) -> None:
    one = named(found, name)
    assert used(one) == pytest.approx(shows, abs=4)
    assert (one.origin, one.given) == ("measured", None)
    assert reason in warned(name)


def test_folders_named_by_codes_calibrate_known_colors_and_new_ones(found: Inspection) -> None:
    assert [row["code"] for row in found.palette_rows] == ["BRICK", "YELLOW"]
    brick = found.palette.find("brick red")
    assert cielab.ciede2000(brick.lab, KNOWN.find("brown").lab) < 3
    one = named(found, "BRICK/1.jpg")
    assert (used(one), one.origin, one.measured) == ({"brick red": 100}, "folder", (1.0,))
    assert one.colors == (brick,)
    assert found.palette.find("red") == KNOWN.find("red")


def test_captions_may_name_the_calibrated_colors(found: Inspection) -> None:
    assert used(named(found, "mixed.jpg")) == {"brick red": 60, "white": 40}


def test_the_same_file_twice_is_left_out_and_told(found: Inspection, warned: Warned) -> None:
    kept = [one.name for one in found.photographs if one.name in ("again.jpg", FIRST)]
    assert kept == [FIRST]
    assert FIRST in warned("again.jpg")


FIRST = "REDp60_WHITEp40.jpg"


def test_near_duplicates_are_on_one_side_of_the_hold_out(found: Inspection) -> None:
    pair = [FIRST, "sub/REDp60_WHITEp40_2.jpg"]
    held = {found.photographs[index].name for index in found.held_out}
    assert len(held.intersection(pair)) in (0, 2)
    assert any(FIRST in line and pair[1] in line for line in found.warnings)


def test_each_color_stays_in_training(found: Inspection) -> None:
    assert 2 <= len(found.held_out) <= 8
    trained = [one for index, one in enumerate(found.photographs) if index not in found.held_out]
    assert {"RED", "WHITE", "BLACK", "YELLOW", "BRICK"} == {
        color.code for one in trained for color in one.colors
    }


def test_texts_without_a_photograph_are_told(found: Inspection, folder: Path) -> None:
    assert any(
        line.startswith(folder.name) and line.endswith("beside them are not read: 1")
        for line in found.warnings
    )


# The same again, and as given


@pytest.mark.long
def test_the_same_folder_is_found_the_same_and_progress_is_told(tmp_path: Path) -> None:
    write_photographs(tmp_path, MIXTURES[:8])
    told: list[tuple[int, int]] = []
    found = inspect(tmp_path, AUDIT, KNOWN, lambda done, total: told.append((done, total)))
    assert told == [(number, 8) for number in range(1, 9)]
    assert found == inspect(tmp_path, AUDIT, KNOWN)
    assert found.faults == ()
    assert any("8 photographs are few" in line for line in found.warnings)


def test_as_given_leaves_lies_and_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    write_photograph(tmp_path / "REDp20_BLACKp80.jpg", {"RED": 80, "BLACK": 20})
    write_photograph(tmp_path / "IMG_1.jpg", {"RED": 50, "BLACK": 50}, seed=2)
    found = inspect(tmp_path, AS_GIVEN, KNOWN)
    one = named(found, "REDp20_BLACKp80.jpg")
    assert used(one) == {"red": 20, "black": 80}
    assert one.origin == "given"
    assert one.measured == pytest.approx((0.8, 0.2), abs=0.05)
    assert any("which is left" in line for line in found.warnings)
    assert any(line.startswith("IMG_1.jpg: its name is no caption") for line in found.faults)


# Faults


def test_all_faults_are_told_at_once_each_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_text("no picture", encoding="utf-8")
    write_photograph(tmp_path / "CRIMSONp50_REDp50.jpg", {"RED": 100})
    write_photograph(tmp_path / "tiny.jpg", {"RED": 60, "WHITE": 40}, 160)
    save_of_hex(tmp_path / "stranger.jpg", "#ff00ff")
    save_of_hex(tmp_path / "RED2" / "1.jpg", "#ff00ff", seed=2)
    faults = inspect(tmp_path, AUDIT, KNOWN).faults
    told = dict(line.split(": ", 1) for line in faults)
    assert list(told) == sorted(told)
    assert "not a picture" in told.pop("1.jpg")
    assert "DKGREEN/1.jpg" in told.pop("CRIMSONp50_REDp50.jpg")
    assert "pixels" in told.pop("tiny.jpg")
    assert "not of the palette" in told.pop("stranger.jpg")
    assert "phrase.txt" in told.pop("RED2")
    assert "at least 8 are needed" in told.pop(tmp_path.name)
    assert told == {}


def save_of_hex(file: Path, code: str, seed: int = 1) -> None:
    """Save a tile of a colour that no palette has."""
    color = KNOWN.make_free_color(code)
    file.parent.mkdir(parents=True, exist_ok=True)
    recipe = Recipe((ColorShare(color, code, 1.0),), seed=seed)
    file.write_bytes(encode_jpeg(render_picture(lay(recipe), 512), 95))


@pytest.mark.parametrize(("resolution", "stops"), [(512, False), (768, True)])
def test_a_photograph_bears_the_resolution_that_is_asked_for(
    tmp_path: Path, resolution: int, stops: bool
) -> None:
    write_photograph(tmp_path / "REDp60_WHITEp40.jpg", {"RED": 60, "WHITE": 40}, 1024)
    picture = cv2.imread(str(tmp_path / "REDp60_WHITEp40.jpg"))
    assert picture is not None
    cv2.imwrite(str(tmp_path / "REDp60_WHITEp40.jpg"), picture[:560, :700])
    options = replace(AUDIT, resolution=resolution)
    faults = [line for line in inspect(tmp_path, options, KNOWN).faults if "700x560" in line]
    assert bool(faults) is stops


def test_a_folder_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (fault, *_) = inspect(tmp_path / "absent", AUDIT, KNOWN).faults
    assert fault.startswith("absent: cannot be listed")
