"""Fuzzing target: an archive of weights. Nothing gets out of its folder, and nothing stays."""

import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from plitka.errors import WeightsError
from plitka.weights import archive
from tests.fuzz.target import (
    Target,
    is_sentence,
    open_workplace,
    refuse_warnings,
    watch_writes,
)

_MOST_BYTES = 2**22  # that an archive may hold here, so that a bomb is one at once
_BLOCK = tarfile.BLOCKSIZE


def check(content: bytes) -> bool:
    path = open_workplace() / "weights"
    path.write_bytes(content)
    inside = open_workplace() / "unpacked"
    inside.mkdir(exist_ok=True)
    with _limits(inside), watch_writes().watch() as written, refuse_warnings():
        accepted = _open(path, inside)
    for place in written:
        assert Path(place).resolve().is_relative_to(inside), f"{place} is written"
    assert not list(inside.iterdir()), "something stays"
    return accepted


def _open(path: Path, inside: Path) -> bool:
    try:
        with archive.open_package(path) as package:
            _check_folder(inside)
            for files in (package.lora, package.embeddings):
                for header in files.headers if files else ():
                    assert header.path.is_file()
            return True
    except WeightsError as refusal:
        said = str(refusal)
    assert is_sentence(said), said
    assert str(inside) not in said, "it names a folder that is gone"
    return False


def _check_folder(inside: Path) -> None:
    files = [file for file in inside.rglob("*") if not file.is_dir()]
    assert not any(file.is_symlink() for file in inside.rglob("*"))
    assert all(file.is_file() and file.stat().st_nlink == 1 for file in files)
    assert len(files) <= archive.MAX_FILES
    assert sum(file.stat().st_size for file in files) <= _MOST_BYTES


@contextmanager
def _limits(inside: Path) -> Iterator[None]:
    """Unpack below `inside`, and no more than _MOST_BYTES."""
    usual, folder = archive.WEIGHTS, tempfile.tempdir
    archive.WEIGHTS = replace(usual, most_bytes=_MOST_BYTES)
    tempfile.tempdir = str(inside)
    try:
        yield
    finally:
        archive.WEIGHTS, tempfile.tempdir = usual, folder


def repair(content: bytes) -> bytes:
    """Make the checksums of a tar's entries right, a compressed one's as well.

    A .gz is packed again from what can be unpacked of it. A zip stays as it is: its checksums are
    of what it holds, and are looked at last.
    """
    if content.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(31)
        try:
            return gzip.compress(_sum_up(unpacker.decompress(content, 2**16)), 1, mtime=0)
        except zlib.error:
            return content
    return content if content.startswith(b"PK") else _sum_up(content)


def _sum_up(content: bytes) -> bytes:
    out = bytearray(content)
    for place in range(0, len(out) - _BLOCK + 1, _BLOCK):
        if out[place + 257 : place + 262] == b"ustar":
            block = bytes(out[place : place + _BLOCK])
            total = 256 + sum(block[:148]) + sum(block[156:])
            out[place + 148 : place + 156] = b"%06o\0 " % total
    return bytes(out)


TARGET = Target(
    "weights_archive",
    check,
    tokens=(
        *(b"ustar\x0000", b"ustar  \0", b"../", b"/etc/", b"C:\\", b"..\\", b"lora.safetensors"),
        *(
            b"PK\x01\x02",
            b"PK\x03\x04",
            b"PK\x05\x06",
            b"PK\x06\x06",
            b"PK\x06\x07",
            b"\x0e\0",
            b"\x63\0",
        ),
        *(b"embeddings.pti", b"special_params.json", b"./././@LongLink", b"30 path=../../x.json\n"),
        *(b"21 GNU.sparse.major=1\n", b"20 size=-1000000000\n", b"\x80\0\0\0\0\0\0\0\0\0\x10\0"),
        *(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\0", b"77777777777\0", b"00000001000\0"),
        *(b"\0\0\0\0\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff", b"model_index.json", b"__MACOSX/._x"),
        *(bytes([kind]) for kind in b"012345679xgLKSNXVZ"),
    ),
    repair=repair,
    longest=12288,
)
