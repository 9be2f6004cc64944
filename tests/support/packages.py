"""Packages of weights, as `setup(weights)` takes them: a folder, a .tar or a .zip of some files."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Files = dict[str, bytes]
Pack = Callable[[Path, Files], Path]


def as_folder(path: Path, files: Files) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_tar(path: Path, files: Files) -> Path:
    with tarfile.open(path.with_suffix(".tar"), "w") as packed:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))
    return path.with_suffix(".tar")


def as_zip(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path.with_suffix(".zip")


PACKERS = pytest.mark.parametrize("pack", [as_folder, as_tar, as_zip])
ARCHIVERS = pytest.mark.parametrize("pack", [as_tar, as_zip])
