"""Images -> PNG files that carry how they were made, in folders that outlive their reader."""

import io
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from plitka import __version__

TEXT_KEY = "plitka"
"""Keyword of the PNG text chunk that holds the record, as JSON."""

_COMPRESSION = 3  # of 9: half the time of the default for 2% more bytes
_LARGEST = 64_000_000  # pixels; more is a mistake or an attack
_LEAST_FREE = 64 * 2**20  # bytes; the folders that are kept have 30 MB at most
_KEPT = 4  # folders of past predictions that may still be read by an upload
_ROOT = re.compile(r"plitka-(\d+)-")
# Cog's server makes two empty folders for each prediction, and never removes them.
COGS_FOLDERS = Path("/tmp/coglet/predictions")
_COGS_SECONDS = 60.0  # of age: a younger folder may be in the making


class PictureError(OSError):
    """A file that is no picture, or that cannot be written; the message names it."""


def save(image: NDArray[np.uint8], path: Path, record: Mapping[str, Any]) -> None:
    """Write (height, width, 3) RGB as PNG with `record` in its text chunk, whole or not at all.

    Raises PictureError, and then nothing of it is left.
    """
    half_written = path.with_suffix(".part")
    try:
        half_written.write_bytes(encode_png(image, record))
        half_written.replace(path)
    except OSError as error:
        raise PictureError(
            f"{path}: cannot be written ({error.strerror or error}); see that its folder is there,"
            " may be written to, and has room for a few megabytes"
        ) from None
    finally:
        with suppress(OSError):
            half_written.unlink()


def encode_png(image: NDArray[np.uint8], record: Mapping[str, Any]) -> bytes:
    """The content of the PNG file that `save` writes."""
    text = PngImagePlugin.PngInfo()
    text.add_itxt(TEXT_KEY, json.dumps(record, ensure_ascii=False))
    text.add_text("Software", f"Plitka {__version__}")
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", pnginfo=text, compress_level=_COMPRESSION)
    return file.getvalue()


def load(path: Path) -> NDArray[np.uint8]:
    """Read any picture as (height, width, 3) RGB, upright. Raises PictureError."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _LARGEST:
                size = f"{picture.width}x{picture.height}"
                raise PictureError(f"{path}: {size} pixels; at most {_LARGEST:,} are read")
            upright = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data and not _is_opaque(upright.convert("RGBA")):
                raise PictureError(f"{path}: is transparent in places; give it a background first")
            if upright.mode.startswith("I"):  # 16 bits of gray, which Pillow would clip to 8
                return np.repeat(np.asarray(upright, np.int64)[..., None] >> 8, 3, 2).astype(
                    np.uint8
                )
            return np.asarray(upright.convert("RGB"))
    except PictureError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError):
        raise PictureError(f"{path}: not a picture that can be read (PNG, JPEG, …)") from None
    except OSError as error:
        raise PictureError(f"{path}: {error.strerror or error}") from None


def _is_opaque(picture: Image.Image) -> bool:
    return picture.getchannel("A").histogram()[255] == picture.width * picture.height


class Outbox:
    """Folders for the files of predictions, a fresh one each.

    Whoever serves or uploads a file may still read it after the prediction has ended, so a folder
    goes only when several later ones have been opened, never right after its files were handed
    out. Base names never repeat, because uploads are told apart by them alone.
    """

    def __init__(self) -> None:
        _remove_orphans()
        self._root = Path(tempfile.mkdtemp(prefix=f"plitka-{os.getpid()}-"))
        self._folders: list[Path] = []

    def folder(self) -> "Folder":
        """Open a folder for a new prediction, and remove those that nobody reads any more."""
        while len(self._folders) >= _KEPT:
            shutil.rmtree(self._folders.pop(0), ignore_errors=True)
        _remove_empty_folders(COGS_FOLDERS)
        folder = Folder(self._root, secrets.token_hex(6))
        self._folders.append(folder.path)
        return folder

    def check(self) -> None:
        """Raise PictureError where no more pictures could be written."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._root) as file:
                file.write(bytes(4096))
            free = shutil.disk_usage(self._root).free
        except OSError as error:
            raise PictureError(
                f"{self._root}: cannot be written to ({error.strerror or error})"
            ) from None
        if free < _LEAST_FREE:
            raise PictureError(
                f"{self._root}: {free >> 20} MiB of its disk are free, and {_LEAST_FREE >> 20} are"
                " needed; free some of it"
            )


class Folder:
    """The files of one prediction, named after what they show and after the prediction."""

    def __init__(self, root: Path, mark: str) -> None:
        self.path = root / mark
        self.mark = mark

    def file(self, kind: str) -> Path:
        """Path for the picture of this kind: `preview-1f2e….png`.

        The folder is made again where it has gone, as those in /tmp do at the hands of cleaners.
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
    """Remove the folders in `root` that are old and hold no file."""
    old = time.time() - _COGS_SECONDS
    with suppress(OSError):
        for folder in root.iterdir():
            with suppress(OSError):
                if folder.stat().st_mtime < old:
                    for inner in folder.iterdir():
                        inner.rmdir()
                    folder.rmdir()


def _remove_orphans() -> None:
    """Remove what processes that are no more have left behind."""
    for root in Path(tempfile.gettempdir()).glob("plitka-*-*"):
        match = _ROOT.match(root.name)
        if match and not _is_alive(int(match[1])):
            shutil.rmtree(root, ignore_errors=True)


def _is_alive(process: int) -> bool:
    """One that has ended counts as dead although, as in many containers, nobody has reaped it."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
