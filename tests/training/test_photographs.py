"""Photographs in a folder or in an archive that may come from anywhere."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from plitka.errors import TrainingError
from plitka.training import photographs
from plitka.training.photographs import open_photographs

FILES = {
    "tiles/REDp60_BLUEp40.jpg": b"a",
    "tiles/RED/1.JPG": b"b",
    "tiles/2.webp": b"c",
    "tiles/2.txt": b"60% red",
    "tiles/notes.docx": b"d",
    "tiles/run.py": b"e",
    "__MACOSX/._1.jpg": b"f",
}


def pack_zip(file: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def pack_tar(file: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file


def pack(file: Path, files: Mapping[str, bytes]) -> Path:
    return (pack_zip if "zip" in file.name else pack_tar)(file, files)


def test_a_folder_stays_where_it_is(tmp_path: Path) -> None:
    with open_photographs(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize("name", ["ours.zip", "ours.tar", "ours.tar.gz", "zipped.without_a_suffix"])
def test_photographs_and_texts_are_unpacked_and_removed_again(tmp_path: Path, name: str) -> None:
    with open_photographs(pack(tmp_path / name, FILES)) as folder:
        kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert kept == {
            *("tiles/REDp60_BLUEp40.jpg", "tiles/RED/1.JPG", "tiles/2.webp", "tiles/2.txt")
        }
        assert folder.name == name
    assert not folder.exists()


@pytest.mark.parametrize("name", ["ours.zip", "ours.tar"])
@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"../1.jpg": b"a"}, "points out of the folder"),
        ({"/1.jpg": b"a"}, "points out of the folder"),
        ({f"{number}.jpg": b"" for number in range(photographs.MOST_FILES + 1)}, "4,000 files"),
    ],
)
def test_a_hostile_archive_is_refused(
    tmp_path: Path, name: str, files: Mapping[str, bytes], reason: str
) -> None:
    with (
        pytest.raises(TrainingError, match=reason) as refused,
        open_photographs(pack(tmp_path / name, files)),
    ):
        pass
    assert str(refused.value).startswith(f"{name}: ")


def test_a_link_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "ours.tar", "w") as archive:
        link = tarfile.TarInfo("1.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(TrainingError, match="link"), open_photographs(tmp_path / "ours.tar"):
        pass


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither a folder nor"),
        (b"\xff\xd8\xff\xe0 a picture", "photographs are taken from one of these"),
        (b"PK\x03\x04 cut off", "neither a folder nor"),
        (None, "no such file or folder"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "1.jpg"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrainingError, match=reason), open_photographs(file):
        pass
