"""Photographs as phones and cameras write them: what is measured on them is what they show."""

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from plitka.cli.main import main
from plitka.images import png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.icc import rgb_profile
from tests.support.recipes import asked

WIDE = ["Display P3", "Adobe RGB", "ProPhoto", "Rec. 2020"]


@cache
def tile(*colors: str) -> NDArray[np.uint8]:
    shares = {color: 100 / len(colors) for color in colors}
    return render.render_picture(lay(asked(shares)), 768)


def save_in(space: str, image: NDArray[np.uint8], file: Path) -> None:
    """Save a picture as a camera of a space does."""
    profile = rgb_profile(space)
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        "RGB",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    converted = transform.apply(Image.fromarray(image))
    converted.save(file, quality=97, subsampling=0, icc_profile=profile)


def measure(capsys: pytest.CaptureFixture[str], file: Path, *more: str) -> dict[str, Any]:
    assert main(["measure", str(file), "--colors", "red=50,orange=50", "--json", *more]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("space", WIDE)
def test_a_tile_measures_the_same_in_every_space(
    space: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, wide = tmp_path / f"plain.{suffix}", tmp_path / f"wide.{suffix}"
    Image.fromarray(tile("red", "orange")).save(plain, quality=97, subsampling=0)
    save_in(space, tile("red", "orange"), wide)
    expected, found = measure(capsys, plain), measure(capsys, wide)
    assert found["shares"] == pytest.approx(expected["shares"], abs=0.01)
    assert expected["notes"] == []
    assert found["notes"] == [f"{space} brought to sRGB"]
    # ProPhoto's eight bits are coarse, and a JPEG loses of them what it would of sRGB's.
    near = 1.0 if (space, suffix) == ("ProPhoto", "jpg") else 0.5
    assert found["ciede2000"] == pytest.approx(expected["ciede2000"], abs=near)
    bare = tmp_path / f"bare.{suffix}"  # the same numbers without the profile are another picture
    with Image.open(wide) as picture:
        picture.save(bare, icc_profile=None)
    drifted = measure(capsys, bare)["ciede2000"]
    assert drifted != pytest.approx(expected["ciede2000"], abs=1.5)


@pytest.mark.parametrize("space", WIDE)
def test_a_palette_is_the_same_in_every_space(
    space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hexes = []
    for kind in ("sRGB", space):
        folder = tmp_path / kind / "BRICK"
        folder.mkdir(parents=True)
        save_in(kind, tile("red"), folder / "1.png")
        out = tmp_path / f"{kind}.csv"
        assert main(["calibrate", str(folder.parent), "--out", str(out)]) == 0
        row = out.read_text(encoding="utf-8").splitlines()[-1]
        hexes.append(row.split("#")[1][:6])
    plain, wide = (np.frombuffer(bytes.fromhex(code), np.uint8).astype(int) for code in hexes)
    assert np.abs(plain - wide).max() <= 2


def test_what_was_done_is_said_to_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "phone.jpg"
    tags = Image.Exif()
    tags[274] = 6
    Image.fromarray(tile("red", "orange")).save(
        file, exif=tags.tobytes(), icc_profile=rgb_profile("Display P3")
    )
    said = "As it was read: Display P3 brought to sRGB; turned upright.\n"
    assert main(["measure", str(file), "--colors", "red,orange"]) == 0
    assert capsys.readouterr().out.endswith(said)
    out = str(tmp_path / "matched.png")
    assert main(["match", str(file), "--color", "red=100", "--out", out]) == 0
    assert said in capsys.readouterr().out
    assert main(["match", str(file), "--color", "red=100", "--out", out, "--json"]) == 0
    notes = ["Display P3 brought to sRGB", "turned upright"]
    assert json.loads(capsys.readouterr().out)["notes"] == notes


@pytest.mark.parametrize(("width", "height"), [(1, 1), (127, 900), (900, 127), (128, 800)])
@pytest.mark.parametrize("command", ["measure", "match"])
def test_a_picture_that_is_too_small_is_not_measured(
    command: str, width: int, height: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.png"
    png.save(np.zeros((height, width, 3), np.uint8), file, {})
    colors = ["--colors", "red"] if command == "measure" else ["--color", "red=100"]
    out = [] if command == "measure" else ["--out", str(tmp_path / "out.png")]
    assert main([command, str(file), *colors, *out]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"{file}: {width}x{height} pixels are too ")
    assert " to measure; a" in err
    assert not (tmp_path / "out.png").exists()


def test_the_smallest_picture_that_is_measured_shows_its_shares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.png"
    Image.fromarray(tile("red", "orange")).resize((128, 128), Image.Resampling.BOX).save(file)
    assert measure(capsys, file)["shares"]["red"] == pytest.approx(0.5, abs=0.08)
