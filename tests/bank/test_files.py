"""Banks as folders: what is written is read; what is damaged is refused, with the file's name."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from plitka.bank.bank import Bank
from plitka.bank.errors import BankError
from plitka.bank.files import check_folder, count_colors, load_bank, write_bank
from plitka.bank.making import make_colors
from plitka.color import palette
from tests.support.photo_banks import CODES, SIDE, write_references

Damage = Callable[[Path], object]


def find(folder: Path, part: str) -> Path:
    (file,) = folder.glob(f"{CODES[0]}-1-{part}-*.png")
    return file


def edit(folder: Path, change: Callable[[Any], object]) -> None:
    """Change the manifest as somebody would who knows what it is."""
    file = folder / "bank.json"
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def replace_picture(folder: Path, part: str, picture: Any) -> None:
    """Put another picture in the place of one, and its digest into the manifest."""
    file = find(folder, part)
    done, content = cv2.imencode(".png", picture)
    assert done
    file.write_bytes(content.tobytes())
    digest = hashlib.sha256(content.tobytes()).hexdigest()

    def change(value: Any) -> None:
        value["colors"][0]["photographs"][0][part]["sha256"] = digest

    edit(folder, change)


def test_what_is_written_is_read(folder: Path, bank: Bank) -> None:
    assert [color.code for color in bank.colors] == list(CODES)
    assert count_colors(folder) == len(CODES)
    for color in bank.colors:
        (source,) = color.sources
        assert source.pixels.shape == (SIDE, SIDE, 3)
        known = palette.load().find(color.code)
        assert np.abs(np.subtract(color.lab, known.lab)).max() < 8
        assert (np.diff(color.tone[:, 0]) > 0).all()
        assert all(60 < chip.area < 1200 for chip in color.chips)
        areas = np.bincount(source.granules.ravel())[1:]
        areas = areas[areas > 0]
        assert 60 < np.median(areas) < 500  # pixels; a granule has 20 across


def test_what_other_colors_are_there_stays_and_what_is_no_longer_named_goes(
    folder: Path, tmp_path: Path
) -> None:
    before = {file.name for file in folder.iterdir()}
    code = CODES[0]
    references = write_references(tmp_path / "refs", (code,), photographs=2)
    files = [references / code / "1.jpg", references / code / "2.jpg"]
    assert write_bank(make_colors({palette.load().find(code): files}), folder) == CODES
    bank = load_bank(folder)
    assert [len(color.sources) for color in bank.colors] == [2, 1]
    after = {file.name for file in folder.iterdir()}
    gone = before - after
    assert len(after) == 1 + 2 * 3
    assert gone
    assert all(name.startswith(code) for name in gone)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "manifest is not there": (lambda f: (f / "bank.json").unlink(), "bank.json: cannot be read"),
    "manifest is cut": (lambda f: os.truncate(f / "bank.json", 500), "bank.json: is no JSON"),
    "manifest is empty": (lambda f: os.truncate(f / "bank.json", 0), "bank.json: is no JSON"),
    "manifest is too large": (
        lambda f: os.truncate(f / "bank.json", 17 << 20),
        "bank.json: has 17,825,792 bytes",
    ),
    "manifest is deep": (
        lambda f: (f / "bank.json").write_text("[" * 100_000),
        "bank.json: is no JSON",
    ),
    "manifest is a list": (
        lambda f: (f / "bank.json").write_text("[]"),
        "is no manifest of a bank",
    ),
    "another version": (
        lambda f: edit(f, lambda v: v.update(plitka_bank=2)),
        "was written by another version",
    ),
    "no colours": (lambda f: edit(f, lambda v: v["colors"].clear()), "lists 0 colours"),
    "a colour twice": (
        lambda f: edit(f, lambda v: v["colors"].append(v["colors"][0])),
        "lists a colour twice",
    ),
    "no code": (
        lambda f: edit(f, lambda v: v["colors"][0].update(code="../../etc")),
        "whose code is none",
    ),
    "no tone": (lambda f: edit(f, lambda v: v["colors"][0]["tone"].pop()), "has no tone of BLUE"),
    "a tone that falls": (
        lambda f: edit(f, lambda v: v["colors"][0]["tone"].reverse()),
        "has no tone of BLUE",
    ),
    "NaN": (
        lambda f: edit(f, lambda v: v["colors"][0].update(lab=[float("nan"), 0, 0])),
        "no L*a*b*",
    ),
    "another folder's file": (
        lambda f: edit(
            f, lambda v: v["colors"][0]["photographs"][0]["pixels"].update(file="../secret.png")
        ),
        "lists a file that no bank has",
    ),
    "a huge size": (
        lambda f: edit(f, lambda v: v["colors"][0]["photographs"][0].update(height=10**9)),
        "of impossible size",
    ),
    "a large size": (
        lambda f: edit(f, lambda v: v["colors"][0]["photographs"][0].update(height=10**4)),
        "of more than 1,500,000 pixels",
    ),
    "no whole granules": (
        lambda f: edit(f, lambda v: v["colors"][0]["photographs"][0].update(whole=[])),
        "too few or too many whole granules of BLUE",
    ),
    "whole granules that are none": (
        lambda f: edit(f, lambda v: v["colors"][0]["photographs"][0].update(whole=[-1])),
        "lists whole granules that are none",
    ),
    "whole granules that are not there": (
        lambda f: edit(f, lambda v: v["colors"][0]["photographs"][0].update(whole=[60_000])),
        "lists no whole granule of BLUE",
    ),
    "pixels are not there": (lambda f: find(f, "pixels").unlink(), "cannot be read"),
    "pixels are cut": (lambda f: os.truncate(find(f, "pixels"), 999), "is not what was written"),
    "granules are garbage": (
        lambda f: find(f, "granules").write_bytes(b"garbage"),
        "is not what was written",
    ),
    "pixels are too large": (
        lambda f: os.truncate(find(f, "pixels"), 17 << 20),
        "has 17,825,792 bytes",
    ),
    "pixels of another size": (
        lambda f: replace_picture(f, "pixels", np.zeros((SIDE, SIDE - 1, 3), np.uint8)),
        "is no PNG file of the size",
    ),
    "pixels in gray": (
        lambda f: replace_picture(f, "pixels", np.zeros((SIDE, SIDE), np.uint8)),
        "has no pixels of mode RGB",
    ),
    "granules of 8 bits": (
        lambda f: replace_picture(f, "granules", np.zeros((SIDE, SIDE), np.uint8)),
        "has no pixels of mode I;16",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_bank_is_refused_with_its_file_and_the_remedy(folder: Path, name: str) -> None:
    damage, reason = DAMAGES[name]
    damage(folder)
    with pytest.raises(BankError) as fault:
        load_bank(folder)
    told = str(fault.value)
    assert told.startswith(str(folder))
    assert reason in told
    assert told.endswith("make the bank again: python -m plitka calibrate refs")
    assert "\n" not in told


def test_a_damaged_bank_is_not_written_over(folder: Path) -> None:
    os.truncate(folder / "bank.json", 500)
    with pytest.raises(BankError, match="is no JSON"):
        check_folder(folder)
    with pytest.raises(BankError, match="is no JSON"):
        write_bank([], folder)


def test_a_folder_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BankError, match="file"):
        check_folder(tmp_path / "file")
    check_folder(tmp_path / "new")
