"""Folders for the files of predictions, which outlive whoever reads them."""

import os
import re
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from plitka.images.errors import PictureError

_MIN_FREE = 64 * 2**20  # bytes on the disk; the folders that are kept have 30 MB at most
_MAX_FOLDERS = 4  # folders of past predictions that may still be read by an upload
_ROOT = re.compile(r"plitka-(\d+)-")
# Cog's server makes two empty folders for each prediction, and never removes them.
COGS_FOLDERS = Path("/tmp/coglet/predictions")
_COGS_SECONDS = 60.0  # of age: a younger folder may be in the making


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

    def open_folder(self) -> "Folder":
        """Open a folder for a new prediction, and remove the oldest beyond _MAX_FOLDERS."""
        while len(self._folders) >= _MAX_FOLDERS:
            shutil.rmtree(self._folders.pop(0), ignore_errors=True)
        _remove_empty_folders(COGS_FOLDERS)
        folder = Folder(self._root, secrets.token_hex(6))
        self._folders.append(folder.path)
        return folder

    def check(self) -> None:
        """Raise PictureError if no more pictures can be written, or the disk is nearly full."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root) as file:
                file.write(bytes(4096))
            free = shutil.disk_usage(self._root).free
        except OSError as error:
            raise PictureError(
                f"{self._root}: cannot be written to ({error.strerror or error})"
            ) from None
        if free < _MIN_FREE:
            raise PictureError(
                f"{self._root}: {free >> 20} MiB of its disk are free, and {_MIN_FREE >> 20} are"
                " needed; free some of it"
            )


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


def _remove_empty_folders(root: Path) -> None:
    """Remove the folders in `root` that are older than _COGS_SECONDS and hold no file."""
    old = time.time() - _COGS_SECONDS
    with suppress(OSError):
        for folder in root.iterdir():
            with suppress(OSError):
                if folder.stat().st_mtime < old:
                    for inner in folder.iterdir():
                        inner.rmdir()
                    folder.rmdir()


def _remove_orphans() -> None:
    """Remove the folders of processes that have ended."""
    for root in Path(tempfile.gettempdir()).glob("plitka-*-*"):
        match = _ROOT.match(root.name)
        if match and not _is_alive(int(match[1])):
            shutil.rmtree(root, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    """Whether a process runs. A zombie, which nobody reaps in many containers, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
