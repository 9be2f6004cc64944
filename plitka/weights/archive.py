"""Finds the LoRA and the embeddings in what `setup(weights)` was given: a folder, .tar or .zip.

An archive may come from anywhere, so nothing in it is trusted: only plain files with the suffixes
of weights are unpacked, in folders that are named here, up to a number of files and of bytes.
"""

import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from plitka.errors import WeightsError
from plitka.weights.embeddings import is_embeddings
from plitka.weights.header import read_header
from plitka.weights.lora_file import is_lora

MAX_FILES = 1000
MAX_BYTES = 4 * 2**30  # unpacked; a LoRA of rank 128 has under 1 GiB
_CHUNK = 2**20
_WEIGHTS = (".safetensors", ".pti")  # .pti: what SDXL's trainer on Replicate names embeddings
_KEPT = (*_WEIGHTS, ".json")


@dataclass(frozen=True)
class Package:
    """The files in a folder or an archive; None for one that is not in there."""

    lora: Path | None
    embeddings: Path | None


@contextmanager
def open_package(path: Path | str | None) -> Iterator[Package]:
    """Find the LoRA and the embeddings; an archive is unpacked while the block lasts."""
    if path is None or str(path) == "":
        yield Package(None, None)
        return
    if str(path).startswith(("http://", "https://")):
        raise WeightsError(
            f"weights: {path} is an address; download it, and give the folder, .tar or .zip"
        )
    path = Path(path).expanduser()
    if path.is_dir():
        yield _identify_files(path, path)
        return
    with tempfile.TemporaryDirectory(prefix="plitka-weights-") as name:
        _unpack(path, Path(name))
        yield _identify_files(path, Path(name))


def _unpack(path: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(path):
            _unpack_zip(path, folder)
        elif tarfile.is_tarfile(path):
            _unpack_tar(path, folder)
        else:
            raise WeightsError(
                f"{path}: neither a folder nor a .tar or .zip that can be read; weights take one of"
                " these with a LoRA and embeddings in it"
            )
    except WeightsError:
        raise  # it is a RuntimeError, which the last clause catches
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file or folder; give weights that are there") from None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be unpacked ({error}); pack it again") from None
    except RuntimeError:  # what zipfile raises for want of a password
        raise WeightsError(f"{path}: locked by a password; pack it without one") from None


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        quota = _Quota(path)
        for entry in archive.infolist():
            kind = entry.external_attr >> 28  # Unix's file type; 0 where the packer wrote none
            quota.admit(entry.filename, entry.file_size, entry.is_dir(), plain=kind in (0, 4, 8))
            if _is_kept(entry.filename):
                with archive.open(entry) as packed:
                    quota.copy(packed, folder, entry.filename)


def _unpack_tar(path: Path, folder: Path) -> None:
    with tarfile.open(path) as archive:
        quota = _Quota(path)
        for entry in archive:
            plain = entry.isreg() or entry.isdir()
            quota.admit(entry.name, entry.size, entry.isdir(), plain=plain)
            packed = archive.extractfile(entry) if _is_kept(entry.name) else None
            if packed is not None:
                with packed:
                    quota.copy(packed, folder, entry.name)


def _is_kept(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith(("._", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in _KEPT and not hidden


class _Quota:
    """Counts what is unpacked of an archive, and refuses too much and paths out of the folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = 0
        self._claimed = 0  # bytes, as the archive says
        self._written = 0  # bytes

    def admit(self, name: str, size: int, is_folder: bool, plain: bool) -> None:
        """Count one entry. plain: whether it is a file or a folder, and no link or device."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or (parts and ":" in parts[0]):
            raise WeightsError(
                f"{self._path}: {name!r} in it points out of the folder; nothing was unpacked, pack"
                " it again with plain names"
            )
        if not plain:
            raise WeightsError(
                f"{self._path}: {name!r} in it is a link or a device; nothing was loaded, pack the"
                " files themselves"
            )
        self._files += not is_folder
        self._claimed += size
        if self._files > MAX_FILES or self._claimed > MAX_BYTES:
            raise self._too_large_error()

    def copy(self, packed: IO[bytes], folder: Path, name: str) -> None:
        """Copy one file, counting the bytes that are written: sizes in archives can lie."""
        target = folder / f"{self._files:04}" / PurePosixPath(name).name
        target.parent.mkdir(exist_ok=True)
        with target.open("wb") as file:
            while chunk := packed.read(_CHUNK):
                self._written += len(chunk)
                if self._written > MAX_BYTES:
                    raise self._too_large_error()
                file.write(chunk)

    def _too_large_error(self) -> WeightsError:
        return WeightsError(
            f"{self._path}: holds more than {MAX_FILES:,} files or {MAX_BYTES / 2**30:g} GiB;"
            " pack nothing but the LoRA and the embeddings"
        )


def _identify_files(path: Path, folder: Path) -> Package:
    """Tell the files apart by the tensors in them, not by their names."""
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.suffix.lower() not in _WEIGHTS or not _is_kept(file.name):
            continue
        header = read_header(file, "pack it again")
        if is_lora(header):
            kind = "LoRA"
        elif is_embeddings(header):
            kind = "embeddings"
        else:
            continue
        if kind in files:
            raise WeightsError(
                f"{path}: holds two files of a {kind}, {files[kind].name} and {file.name}; leave"
                " one of them"
            )
        files[kind] = file
    if not files:
        raise WeightsError(
            f"{path}: holds neither a LoRA nor embeddings as .safetensors; put them into it"
        )
    return Package(files.get("LoRA"), files.get("embeddings"))
