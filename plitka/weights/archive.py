"""Opens what `setup(weights)` was given: a folder, an archive, or a file with a LoRA or embeddings.

An archive may come from anywhere, so nothing in it is trusted: only plain files with the suffixes
of weights and their notes are unpacked, under their own relative paths so that what lies beside a
file stays beside it, up to a number of files and of bytes.
"""

import errno
import lzma
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from plitka.errors import WeightsError
from plitka.weights.adapter_files import Package, find_package, read_single_package
from plitka.weights.address import describe_address, is_address
from plitka.weights.content import find_kind, refuse_special
from plitka.weights.download import fetch_weights_file
from plitka.weights.header import PICKLE_SUFFIXES, WEIGHTS_SUFFIXES
from plitka.weights.home import expand_home
from plitka.weights.places import Folder, is_hidden, list_folder
from plitka.weights.tar import open_tar
from plitka.weights.zip import open_zip

MAX_FILES = 1000
MAX_BYTES = 4 * 2**30  # unpacked; a LoRA of rank 128 has under 1 GiB
_ENTRIES_A_FILE = 4  # files and folders for each file that may be in it
_MOST_DEPTH = 32  # folders in each other
_LONGEST_REASON = 200  # characters of what a library says
_CHUNK = 2**20
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    # Python's reader of zips looks for what is not there in some that are damaged.
    IndexError,
    KeyError,
    OverflowError,
    struct.error,
)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_KEPT = (*WEIGHTS_SUFFIXES, ".json")


@dataclass(frozen=True)
class Contents:
    """What is unpacked of an archive, and how much that may be.

    is_wanted: whether a file is, by its name. taken, needed: end the sentences `neither a folder
    nor an archive; …` and `pack nothing but …`. most_files, most_bytes: of all files in it.
    """

    is_wanted: Callable[[str], bool]
    taken: str
    needed: str
    most_files: int = MAX_FILES
    most_bytes: int = MAX_BYTES


WEIGHTS = Contents(
    lambda name: PurePosixPath(name).suffix.lower() in _KEPT,
    "weights take one of these with a LoRA and embeddings in it, or a .safetensors file",
    "the LoRA and the embeddings",
)


@contextmanager
def open_package(path: Path | str | None, cache: Path | None = None) -> Iterator[Package]:
    """Find the LoRA and the embeddings; an archive is unpacked while the block lasts.

    cache: the folder for what lies at an https address; None refuses addresses.
    """
    if path is None or str(path) == "":
        yield Package("", None, None)
        return
    path, title = _fetch(path, cache)
    if _is_single(path):
        yield read_single_package(path, title)
        return
    with _open_folder(path, title, WEIGHTS) as folder:
        yield find_package(_refuse_model(folder))


@contextmanager
def open_folder(
    path: Path | str, cache: Path | None, contents: Contents
) -> Iterator[Folder | None]:
    """Open what setup() was given as a folder; of an archive these contents are unpacked.

    None for a file of weights. cache: as open_package takes it.
    """
    path, title = _fetch(path, cache)
    if _is_single(path):
        yield None
        return
    with _open_folder(path, title, contents) as folder:
        yield folder


def _fetch(path: Path | str, cache: Path | None) -> tuple[Path, str]:
    """Fetch what lies at an address. Gives its path, and what sentences call it."""
    text = title = str(path)
    if is_address(text):
        title = describe_address(text)
        if cache is None:
            raise WeightsError(
                f"weights: {title} is an address; download it, and give the folder, .tar or .zip"
            )
        path = fetch_weights_file(text, cache)
    path = expand_home(path)
    refuse_special(path, title)
    return path, title


@contextmanager
def _open_folder(path: Path, title: str, contents: Contents) -> Iterator[Folder]:
    if path.is_dir():
        yield list_folder(path)
        return
    with open_temporary_folder(title) as folder:
        passed_over = unpack(path, title, folder, contents)
        yield list_folder(folder, title, passed_over)


@contextmanager
def open_temporary_folder(title: str) -> Iterator[Path]:
    """Open a folder for what is unpacked; it is removed afterwards. Raises WeightsError."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="plitka-weights-")
    except OSError as error:
        raise _explain_no_room(title, error) from None
    with folder as name:
        yield Path(name)


def _explain_no_room(title: str, error: OSError) -> WeightsError:
    return WeightsError(
        f"{title}: there is no place to unpack it ({error.strerror or error}); make room in the"
        " folder for temporary files, or name another with TMPDIR"
    )


def _refuse_model(folder: Folder) -> Folder:
    """Raise WeightsError for a whole model as diffusers saves one."""
    if "model_index.json" in folder.names:
        raise WeightsError(
            f"{folder.title}: a whole model in diffusers' form, not a LoRA with its embeddings;"
            " name its folder with PLITKA_BASE, and leave it out here"
        )
    return folder


def _is_single(path: Path) -> bool:
    """Whether a file is to be read as one of weights: by its content, else by its name."""
    try:
        kind = find_kind(path)
    except OSError:  # named where it is read
        kind = None
    if path.is_dir():
        return False
    named = path.suffix.lower() in (*WEIGHTS_SUFFIXES, *PICKLE_SUFFIXES) and path.exists()
    return kind == "safetensors" or (kind is None and named)


def unpack(path: Path, title: str, folder: Path, contents: Contents) -> tuple[str, ...]:
    """Unpack what is wanted of an archive; returns the names of the files that are not.

    title: what sentences call the archive. Raises WeightsError for any fault of it.
    """
    quota = _Quota(title, contents)
    try:
        kind = find_kind(path)
        if kind == "zip":
            return _unpack_zip(path, title, folder, quota)
        if kind == "tar":
            return _unpack_tar(path, folder, quota)
        raise WeightsError(
            f"{title}: neither a folder nor a .tar or .zip that can be read; {contents.taken}"
        )
    except WeightsError:
        raise  # it is a RuntimeError, which the last clause catches
    except FileNotFoundError:
        raise WeightsError(f"{title}: no such file or folder; give one that is there") from None
    except (*_DAMAGED, OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise _explain_no_room(title, error) from None
        # An OSError's own text has the path of the temporary folder.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = reason[:_LONGEST_REASON]  # zipfile's may hold whole headers
        raise WeightsError(f"{title}: cannot be unpacked ({reason}); pack it again") from None
    except zipfile.LargeZipFile:
        raise WeightsError(
            f"{title}: its list of contents is too long: it holds more than"
            f" {contents.most_files:,} files, or names longer than any needs; pack nothing but"
            f" {contents.needed}"
        ) from None
    except RuntimeError:  # what zipfile raises for want of a password
        raise WeightsError(f"{title}: locked by a password; pack it without one") from None


def _unpack_zip(path: Path, title: str, folder: Path, quota: "_Quota") -> tuple[str, ...]:
    with open_zip(path) as archive:
        for entry in archive.infolist():
            kind = entry.external_attr >> 28  # Unix's file type; 0 where the packer wrote none
            quota.admit(entry.filename, entry.file_size, entry.is_dir(), plain=kind in (0, 4, 8))
            if quota.keeps(entry.filename, entry.is_dir()):
                _refuse_compression(entry, title)
                with archive.open(entry) as packed:
                    quota.copy(packed, folder, entry.filename)
        return quota.passed_over


def _refuse_compression(entry: zipfile.ZipInfo, title: str) -> None:
    """Raise WeightsError for what would unpack at once, however little of it is asked for.

    Python's reader of zips does so with all but deflate: 10 KB would take 16 GiB of memory.
    """
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise WeightsError(
            f"{title}: {entry.filename!r} in it has a compression that is not read (zip method"
            f" {entry.compress_type}); pack it again with deflate, the default of zip"
        )


def _unpack_tar(path: Path, folder: Path, quota: "_Quota") -> tuple[str, ...]:
    with open_tar(path) as archive:
        for entry in archive:
            plain = entry.isreg() or entry.isdir()
            quota.admit(entry.name, entry.size, entry.isdir(), plain=plain)
            if quota.keeps(entry.name, entry.isdir()):
                packed = archive.extractfile(entry)
                assert packed is not None  # a regular file
                with packed:
                    quota.copy(packed, folder, entry.name)
        assert archive.fileobj is not None
        quota.read_to_end(archive.fileobj)
        return quota.passed_over


class _Quota:
    """Counts what is unpacked of an archive, and refuses too much and paths out of the folder.

    passed_over: the names of the files that are not unpacked.
    """

    def __init__(self, title: str, contents: Contents) -> None:
        self.passed_over: tuple[str, ...] = ()
        self._title = title
        self._contents = contents
        self._entries = 0
        self._files = 0
        self._claimed = 0  # bytes, as the archive says
        self._written = 0  # bytes

    def admit(self, name: str, size: int, is_folder: bool, plain: bool) -> None:
        """Count one entry. plain: whether it is a file or a folder, and no link or device."""
        parts = _split(name)
        if name.startswith(("/", "\\")) or ".." in parts or (parts and ":" in parts[0]):
            raise WeightsError(
                f"{self._title}: {name!r} in it points out of the folder; nothing was unpacked,"
                " pack it again with plain names"
            )
        if not name.isprintable():
            raise WeightsError(
                f"{self._title}: {name!r} in it has unprintable characters; pack it again with"
                " plain names"
            )
        if len(parts) > _MOST_DEPTH:
            raise WeightsError(
                f"{self._title}: has {len(parts) - 1} folders in each other; pack it again with the"
                " files in one"
            )
        if size < 0:
            raise tarfile.ReadError("an entry of a negative size")
        if not plain:
            raise WeightsError(
                f"{self._title}: {name!r} in it is a link or a device; nothing was loaded, pack the"
                " files themselves"
            )
        self._entries += 1
        self._files += not is_folder
        self._claimed += size
        most = self._contents.most_files
        too_many = self._files > most or self._entries > _ENTRIES_A_FILE * most
        if too_many or self._claimed > self._contents.most_bytes:
            raise self._too_large_error()

    def keeps(self, name: str, is_folder: bool) -> bool:
        """Whether an entry is to be unpacked; notes the name of a file that is not."""
        if is_folder or is_hidden(name):
            return False
        if self._contents.is_wanted(name):
            return True
        self.passed_over += ("/".join(_split(name)),)
        return False

    def copy(self, packed: IO[bytes], folder: Path, name: str) -> None:
        """Copy one file, counting the bytes that are written: sizes in archives can lie."""
        target = folder.joinpath(*_split(name))
        if target.exists():
            raise WeightsError(f"{self._title}: {name!r} is in it twice; pack it again with one")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            while chunk := packed.read(_CHUNK):
                self._written += len(chunk)
                if self._written > self._contents.most_bytes:
                    raise self._too_large_error()
                file.write(chunk)

    def read_to_end(self, stream: Any) -> None:
        """Read what is left of a stream, which is zeros: a compressed one ends with its checksum.

        Raises tarfile.ReadError for anything else: the end was in the middle of what is there.
        """
        while chunk := stream.read(_CHUNK):
            self._written += len(chunk)
            if self._written > self._contents.most_bytes:
                raise self._too_large_error()
            if chunk.strip(b"\0"):
                raise tarfile.ReadError("an end, and more after it")

    def _too_large_error(self) -> WeightsError:
        contents = self._contents
        return WeightsError(
            f"{self._title}: holds more than {contents.most_files:,} files or"
            f" {contents.most_bytes / 2**30:g} GiB; pack nothing but {contents.needed}"
        )


def _split(name: str) -> tuple[str, ...]:
    """The parts of an entry's path, without "." and whichever way its slashes lean."""
    return PurePosixPath(name.replace("\\", "/")).parts
