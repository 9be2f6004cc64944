"""Folders for the files of predictions, which outlive whoever reads them."""

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from plitka.images.errors import PictureError
from plitka.serving.folder_owner import say_owner

_MIN_FREE = 64 * 2**20  # bytes on the disk; the folders that are kept have 30 MB at most
_MAX_FOLDERS = 4  # folders of past predictions that may still be read by an upload
_ROOT = re.compile(r"plitka-(\d+)-")
COGS_FOLDERS = Path("/tmp/coglet/predictions")
"""Where Cog's server makes two empty folders for each prediction, and never removes them. Where it
cannot make them, it fails the prediction and stays busy for good."""
_COGS_NAMES = ("inputs", "outputs")
_COGS_SECONDS = 60.0  # since a folder was first seen: a younger one may be in the making


class Outbox:
    """Folders for the files of predictions, a new one for each.

    Cog may read a file, to send or upload it, after the prediction has ended. So a folder is
    removed only when _MAX_FOLDERS later ones have been opened. File names never repeat, because
    uploads are told apart by them alone.
    """

    def __init__(self) -> None:
        _remove_orphans()
        self._root = Path(tempfile.mkdtemp(prefix=f"plitka-{os.getpid()}-"))
        self._folders: list[Path] = []
        self._cogs: dict[Path, float] = {}  # Cog's folders, and when each was first seen

    def open_folder(self) -> "Folder":
        """Open a folder for a new prediction, and remove the oldest beyond _MAX_FOLDERS."""
        while len(self._folders) >= _MAX_FOLDERS:
            shutil.rmtree(self._folders.pop(0), ignore_errors=True)
        self._remove_cogs_folders()
        folder = Folder(self._root, secrets.token_hex(6))
        self._folders.append(folder.path)
        return folder

    def check(self) -> None:
        """Raise PictureError where no more pictures can be written, or a disk is nearly full.

        That is where they are written, and where Cog makes its folders.
        """
        for folder in (self._root, COGS_FOLDERS):
            _check_folder(folder)

    def _remove_cogs_folders(self) -> None:
        """Remove Cog's folders that were first seen _COGS_SECONDS ago and hold no file.

        Their dates do not count: the system's clock may have been set since.
        """
        now = time.monotonic()
        seen: dict[Path, float] = {}
        with suppress(OSError):
            for folder in _list_own(COGS_FOLDERS):
                first = self._cogs.get(folder, now)
                if now - first < _COGS_SECONDS or not _remove_empty(folder):
                    seen[folder] = first
        self._cogs = seen


class Folder:
    """The files of one prediction. mark: part of the names of the folder and of all files."""

    def __init__(self, root: Path, mark: str) -> None:
        self.path = root / mark
        self.mark = mark

    def prepare_file(self, kind: str) -> Path:
        """Return the path for a kind of picture, such as `preview-1f2e….png`; makes the folder.

        The folder is made at each call, since cleaners of /tmp may have removed it. Raises
        PictureError.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PictureError(
                f"{self.path}: cannot be made ({error.strerror or error}); TMPDIR says where"
                " temporary files go, and that folder must be there and may be written to"
            ) from None
        return self.path / f"{kind}-{self.mark}.png"


def _check_folder(folder: Path) -> None:
    """Raise PictureError where no file can be written in a folder, or its disk is nearly full."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise PictureError(
            f"{folder}: cannot be written to ({error.strerror or error}); each prediction makes"
            " files there, so see that the folder is this user's and its disk has room"
            f"{say_owner(folder)}"
        ) from None
    if free < _MIN_FREE:
        raise PictureError(
            f"{folder}: {free >> 20} MiB of its disk are free, and {_MIN_FREE >> 20} are needed;"
            " free some of it"
        )


def _list_own(folder: Path) -> Iterator[Path]:
    """List the folders in a folder that are this user's own, no links: others may write there."""
    with os.scandir(folder) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                yield Path(entry)


def _remove_empty(folder: Path) -> bool:
    """Remove a folder of Cog's and the folders that it makes in it; whether they held no file."""
    try:
        for name in _COGS_NAMES:
            with suppress(FileNotFoundError):
                (folder / name).rmdir()
        folder.rmdir()
    except OSError:
        return False
    return True


def _remove_orphans() -> None:
    """Remove the folders of processes that have ended, as far as they are as `Folder` made them."""
    with suppress(OSError):
        for root in _list_own(Path(tempfile.gettempdir())):
            match = _ROOT.match(root.name)
            if match and not _is_alive(int(match[1])):
                _remove_orphan(root)


def _remove_orphan(root: Path) -> None:
    with suppress(OSError):
        for folder in _list_own(root):
            with suppress(OSError):
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()
        root.rmdir()


def _is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie, which nobody reaps in many containers, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
