import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plitka.images import photograph, png
from plitka.images.errors import PictureError


def test_a_picture_carries_its_record_and_its_exact_pixels(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    png.save(image, tmp_path / "tile.png", {"prompt": "плитка", "seed": 7})
    with Image.open(tmp_path / "tile.png") as read:
        assert (read.mode, read.size) == ("RGB", (24, 16))
        assert json.loads(read.info["plitka"]) == {"prompt": "плитка", "seed": 7}
    assert np.array_equal(photograph.load(tmp_path / "tile.png").pixels, image)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(PictureError, match=r"bad\.png: "):
        photograph.load(tmp_path / "bad.png")


def test_a_truncated_picture_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    png.save(noise, whole, {})
    (tmp_path / "half.png").write_bytes(whole.read_bytes()[:4000])
    with pytest.raises(PictureError, match=r"half\.png: "):
        photograph.load(tmp_path / "half.png")


def test_a_picture_that_is_too_large_is_refused_in_one_sentence(tmp_path: Path) -> None:
    Image.new("L", (9000, 8000)).save(tmp_path / "large.png")
    with pytest.raises(PictureError) as caught:
        photograph.load(tmp_path / "large.png")
    assert str(caught.value).count("large.png") == 1
    assert "9000x8000 pixels" in str(caught.value)


def test_sixteen_bits_of_gray_keep_their_brightness(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 0x8000, np.uint16)).save(tmp_path / "deep.png")
    assert (photograph.load(tmp_path / "deep.png").pixels == 128).all()
