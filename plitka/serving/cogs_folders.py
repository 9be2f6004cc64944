"""The folders that Cog makes for each prediction, made before it does.

Where Cog cannot make them, the prediction fails and its place stays taken for good, while Cog's
health check goes on to say BUSY.
"""

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from plitka.serving.answers import Refusal

COGS_FOLDERS = Path("/tmp/coglet/predictions")  # whatever TMPDIR says

_MIN_DISK_BYTES = 64 * 2**20  # three pictures have 8 MB at most


def check_disk(folder: Path = COGS_FOLDERS) -> None:
    """Raise Refusal if no file can be written where Cog will, or its disk is nearly full.

    The folder is made as Cog makes it, and stays.
    """
    file = folder / f".probe-{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(4096))
        file.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        with suppress(OSError):
            file.unlink()
        message = (
            f"{folder}: cannot be written to ({error.strerror or error}); Cog makes a folder there"
            " for each prediction, so the user of this server has to own it"
        )
        raise Refusal(503, ("server",), message) from None
    if free < _MIN_DISK_BYTES:
        message = (
            f"{folder}: {free >> 20} MiB of its disk are free, and {_MIN_DISK_BYTES >> 20} are"
            " needed; free some of it"
        )
        raise Refusal(503, ("server",), message)


def make_folders(identifier: str) -> None:
    """Make the folders of one prediction, as Cog will, and see that they take a file.

    Raises Refusal.
    """
    for name in ("inputs", "outputs"):
        check_disk(COGS_FOLDERS / identifier / name)
