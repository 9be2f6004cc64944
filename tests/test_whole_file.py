"""Files are written whole or not at all, whatever becomes of their parts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plitka import whole_file
from plitka.whole_file import Unwritable


def test_parts_become_one_file(tmp_path: Path) -> None:
    whole_file.write_parts(tmp_path / "file", (bytes([letter]) * 3 for letter in b"abc"))
    assert (tmp_path / "file").read_bytes() == b"aaabbbccc"


@pytest.mark.parametrize(
    ("error", "told"), [(OSError("no room"), Unwritable), (ValueError("cut"), ValueError)]
)
def test_a_part_that_cannot_be_made_leaves_the_file_as_it_was(
    error: Exception, told: type[Exception], tmp_path: Path
) -> None:
    def make() -> Iterator[bytes]:
        yield b"new"
        raise error

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(told):
        whole_file.write_parts(tmp_path / "file", make())
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"
