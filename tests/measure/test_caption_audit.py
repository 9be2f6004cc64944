import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from plitka.color import palette
from plitka.measure.caption_audit import Finding, audit, is_believable
from plitka.measure.captions import CaptionError, read_caption
from plitka.measure.shares import Measurement

SHARED = os.environ.get("PLITKA_SHARED")

Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path, red_and_blue: Path) -> Save:
    """Save the red and blue tile: `save("REDp60_BLUEp40.png", text="60% red, 40% blue")`."""

    def save(name: str, text: str | None = None) -> Path:
        file = tmp_path / name
        file.write_bytes(red_and_blue.read_bytes())
        if text is not None:
            file.with_suffix(".txt").write_text(text, encoding="utf-8")
        return file

    return save


def audited(file: Path) -> Finding:
    (finding,) = audit(file.parent, palette.load())
    assert finding.file == file
    return finding


@pytest.mark.parametrize(
    "name",
    ["REDp60_BLUEp40.png", "redp60_bluep40.PNG", "BLUEp40_REDp60.png", "REDp60_BLUEp40_2.png"],
)
def test_a_right_name_is_true(save: Save, name: str) -> None:
    finding = audited(save(name))
    assert (finding.verdict, finding.reason) == ("true", "")
    assert finding.total_variation == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("REDp40_BLUEp60.png", "swapped; it shows 60% red, 40% blue"),
        ("REDp20_BLUEp80.png", "other shares"),
        ("REDp60_BLUEp30_YELLOWp10.png", "other shares"),
        ("RED.png", "of the granules show other colours"),
        ("YELLOWp50_WHITEp50.png", "of the granules show other colours"),
    ],
)
def test_a_wrong_name_lies_and_the_reason_is_told(save: Save, name: str, reason: str) -> None:
    finding = audited(save(name))
    assert finding.verdict == "lies"
    assert reason in finding.reason


@pytest.mark.parametrize(
    "text",
    [
        "60% red, 40% blue",
        "a rubber tile of 60% red, 40% blue, photograph from above\n",
        "60 % of red granules and 40.0% Blue",
        "30% red, 30% red, 40% BLUE",
    ],
)
def test_the_text_beside_a_photograph_wins_over_its_name(save: Save, text: str) -> None:
    assert audited(save("REDp40_BLUEp60.png", text)).verdict == "true"


def test_a_lying_text_is_found_under_a_right_name(save: Save) -> None:
    finding = audited(save("REDp60_BLUEp40.png", "40% red, 60% blue"))
    assert finding.verdict == "lies"
    assert finding.reason.startswith("swapped")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("REDp60_BLUEp30.png", None, "its shares add up to 90%, not to 100%"),
        ("REDp60_holiday.png", None, "its name is no caption like REDp60_BLUEp40"),
        ("holiday.png", None, 'unknown colour "holiday"'),
        ("REDDp60_BLUEp40.png", None, 'unknown colour "REDD"; did you mean "red"'),
        ("REDp60_BLUEp40.png", "", 'its text names no shares like "60% red, 40% blue"'),
        ("REDp60_BLUEp40.png", "a nice tile", "its text names no shares"),
        ("REDp60_BLUEp40.png", "60% rubber, 40% blue", 'unknown colour "rubber"'),
    ],
)
def test_a_caption_that_cannot_be_read_is_told_and_accused_of_nothing(
    save: Save, name: str, text: str | None, reason: str
) -> None:
    finding = audited(save(name, text))
    assert finding.verdict == "unread"
    assert reason in finding.reason
    assert (finding.caption, finding.measured, finding.total_variation) == (None, None, None)


def found(shares: tuple[float, ...], half: float, *groups: tuple[int, ...]) -> Measurement:
    """A measurement whose intervals reach `half` to both sides, those of a group anywhere."""
    together = {color for group in groups for color in group}
    intervals = [
        (0.0, 1.0) if color in together else (max(share - half, 0), min(share + half, 1))
        for color, share in enumerate(shares)
    ]
    differences = (0.0,) * len(shares)
    return Measurement(shares, tuple(intervals), groups, differences, 0.1, 0.0)


@pytest.mark.parametrize(
    ("captioned", "believable"),
    [
        ((0.6, 0.3, 0.1), True),
        ((0.66, 0.24, 0.1), True),  # out of the 90% interval, as one honest caption in ten
        ((0.69, 0.21, 0.1), False),
        ((0.3, 0.6, 0.1), False),
    ],
)
def test_a_caption_lies_where_a_share_is_far_outside_its_interval(
    captioned: tuple[float, ...], believable: bool
) -> None:
    assert is_believable(captioned, found((0.6, 0.3, 0.1), 0.04)) is believable


@pytest.mark.parametrize(
    ("captioned", "believable"),
    [
        ((0.6, 0.3, 0.1), True),
        ((0.0, 0.9, 0.1), True),
        ((0.9, 0.0, 0.1), True),
        ((0.54, 0.3, 0.16), True),
        ((0.48, 0.3, 0.22), False),
        ((0.1, 0.6, 0.3), False),
    ],
)
def test_of_colors_that_are_not_told_apart_only_the_sum_can_be_a_lie(
    captioned: tuple[float, ...], believable: bool
) -> None:
    assert is_believable(captioned, found((0.6, 0.3, 0.1), 0.04, (0, 1))) is believable


def test_where_no_color_is_told_apart_no_caption_is_a_lie() -> None:
    assert is_believable((0.1, 0.9), found((0.9, 0.1), 0.04, (0, 1)))


def test_files_that_are_no_photographs_are_passed_over(save: Save, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("60% red")
    (tmp_path / "labels.csv").write_text("REDp60_BLUEp40.jpg,60")
    (tmp_path / "REDp60_BLUEp40").mkdir()
    assert [finding.file.name for finding in audit(tmp_path, palette.load())] == []
    for name in ("REDp60_BLUEp40.png", "BLUEp60_REDp40.png"):
        save(name)
    found = [(finding.file.name, finding.verdict) for finding in audit(tmp_path, palette.load())]
    assert found == [("BLUEp60_REDp40.png", "lies"), ("REDp60_BLUEp40.png", "true")]


def test_a_photograph_that_cannot_be_read_is_told_beside_the_others(
    save: Save, tmp_path: Path
) -> None:
    (tmp_path / "BLUEp40_REDp60.jpg").write_text("no JPEG")
    save("REDp60_BLUEp40.png")
    broken, whole = audit(tmp_path, palette.load())
    assert (broken.verdict, broken.measured, broken.broken) == ("unread", None, True)
    assert "BLUEp40_REDp60.jpg" not in broken.reason
    assert (whole.verdict, whole.broken) == ("true", False)


def test_a_caption_is_read_without_its_photograph(tmp_path: Path) -> None:
    read = read_caption(tmp_path / "DKGREENp12.5_WHITEp87.5.jpg", palette.load())
    assert [color.phrase for color in read.colors] == ["dark green", "white"]
    assert read.percent == (12.5, 87.5)
    (tmp_path / "tile.txt").write_text("12.5% dark green rubber, 87.5% white-green", "utf-8")
    read = read_caption(tmp_path / "tile.jpg", palette.load())
    assert [color.code for color in read.colors] == ["DKGREEN", "WHTGRN"]


def test_more_than_eight_colors_are_no_caption(tmp_path: Path) -> None:
    names = [color.code for color in palette.load().colors[:10]]
    with pytest.raises(CaptionError, match="it names 10 colours; at most 8"):
        read_caption(tmp_path / ("_".join(f"{name}p10" for name in names) + ".jpg"), palette.load())


@pytest.mark.skipif(SHARED is None, reason="PLITKA_SHARED names no folder of photographs")
def test_of_real_photographs_those_with_swapped_names_lie_and_no_others() -> None:
    photos = Path(str(SHARED)) / "photos"
    with (photos / "labels.csv").open(encoding="utf-8", newline="") as file:
        swapped = {r["file"] for r in csv.DictReader(file) if r["file_name_swapped"] == "yes"}
    findings = list(audit(photos, palette.load()))
    assert swapped
    assert {finding.file.name for finding in findings if finding.verdict == "lies"} == swapped
    assert {finding.verdict for finding in findings} == {"lies", "true"}
