"""Files that are no photographs are refused at once, in one sentence with their name."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from plitka.images import photograph
from plitka.images.errors import PictureError
from tests.support.picture_files import draw_corners, encode


def refusal(path: Path) -> str:
    with pytest.raises(PictureError) as caught:
        photograph.load(path)
    sentence = str(caught.value)
    assert sentence.isprintable()
    return sentence


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "WHITE.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
        assert refusal(tmp_path / "socket.jpg").endswith("socket.jpg: is a socket, not a file")
    assert refusal(tmp_path / "pipe.jpg").endswith("pipe.jpg: is a pipe, not a file")
    assert refusal(tmp_path / "link.jpg").endswith("link.jpg: is a pipe, not a file")
    assert refusal(tmp_path / "WHITE.jpg").endswith("WHITE.jpg: is a folder, not a file")
    assert refusal(Path("/dev/zero")) == "/dev/zero: is a device, not a file"


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "empty.jpg").touch()
    assert "round.jpg: cannot be read (Too many levels" in refusal(tmp_path / "round.jpg")
    assert "dangling.jpg: cannot be read (No such file" in refusal(tmp_path / "dangling.jpg")
    assert "empty.jpg: is empty" in refusal(tmp_path / "empty.jpg")
    assert "File name too long" in refusal(tmp_path / ("x" * 300 + ".jpg"))
    assert "Not a directory" in refusal(tmp_path / "empty.jpg" / "x.jpg")
    assert "no file can have this name" in refusal(tmp_path / "nul\0.jpg")
    (tmp_path / "zeros.jpg").write_bytes(bytes(5000))
    assert "zeros.jpg: holds nothing but zeros" in refusal(tmp_path / "zeros.jpg")


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(2**40)
    assert "huge.jpg: has 1,099,511,627,776 bytes; at most" in refusal(tmp_path / "huge.jpg")


@pytest.mark.parametrize("name", [b"\xff\xfe.jpg", b"\x1b[2J.jpg", b"two\nlines.jpg", b"\xc3.jpg"])
def test_any_name_can_be_printed(name: bytes, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"no picture")
    sentence = refusal(path)
    assert sentence.encode("utf-8")
    assert sentence.endswith("PNG, JPEG, WebP, TIFF, BMP, HEIC and AVIF are read")
    path.write_bytes(encode("PNG"))
    assert photograph.load(path).pixels.shape == (24, 40, 3)


def test_a_name_with_a_lone_surrogate_is_refused() -> None:
    assert refusal(Path("\ud800.jpg"))


FOREIGN = {
    "GIF": b"GIF89a" + bytes(20),
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "PDF": b"%PDF-1.4\n",
    "PSD": b"8BPS" + bytes(30),
    "ICO": b"\0\0\1\0\1\0" + bytes(20),
    "FITS": b"SIMPLE  =                    T",
    "WMF": b"\xd7\xcd\xc6\x9a" + bytes(40),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "JPEG XL": b"\xff\x0a" + bytes(20),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "a video": b"\0\0\0\x18ftypmp42" + bytes(12),
    "a camera's raw file": b"\0\0\0\x18ftypcrx " + bytes(12),
}


@pytest.mark.parametrize("kind", sorted(FOREIGN))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_other_formats_are_refused_by_name_whatever_they_are_called(
    kind: str, suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"x{suffix}"
    file.write_bytes(FOREIGN[kind])
    assert f"x{suffix}: is {kind}" in refusal(file)


@pytest.mark.parametrize("format", ["GIF", "ICO", "PPM", "TGA", "PCX", "DDS", "JPEG2000", "PDF"])
def test_nothing_else_that_pillow_knows_is_read(format: str, tmp_path: Path) -> None:
    draw_corners().save(tmp_path / "x.png", format)
    assert "x.png: " in refusal(tmp_path / "x.png")


def test_a_postscript_file_runs_no_program(tmp_path: Path) -> None:
    tool = tmp_path / "gs"
    tool.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    tool.chmod(0o755)
    (tmp_path / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\nshowpage\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "plitka", "measure", str(tmp_path / "x.png"), "--colors", "red"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{tmp_path}/x.png: is EPS or PostScript; PNG, JPEG")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "HEIC", "AVIF"])
def test_the_content_counts_and_not_the_suffix(format: str, tmp_path: Path) -> None:
    file = tmp_path / "photograph.png"
    file.write_bytes(encode(format))
    assert photograph.load(file).pixels.shape == (24, 40, 3)


def test_reading_heic_leaves_pillow_as_it_was(tmp_path: Path) -> None:
    before = dict(Image.EXTENSION), list(Image.ID)
    (tmp_path / "x.heic").write_bytes(encode("HEIC"))
    photograph.load(tmp_path / "x.heic")
    assert (dict(Image.EXTENSION), list(Image.ID)) == before
