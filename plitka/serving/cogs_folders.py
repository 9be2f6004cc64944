"""The folders that Cog makes for each prediction, tried before it does.

Where Cog cannot make them, the prediction fails and its place stays taken for good, while Cog's
health check goes on to say BUSY.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from plitka.serving.answers import Refusal
from plitka.serving.folder_owner import say_owner

COGS_FOLDERS = Path("/tmp/coglet/predictions")  # whatever TMPDIR says

_MIN_DISK_BYTES = 64 * 2**20  # three pictures have 8 MB at most


def check_disk(folder: Path = COGS_FOLDERS) -> None:
    """Raise Refusal if Cog could make no folder with a file in it, or its disk is nearly full.

    The folder is made if it is not there, as Cog does; what is tried in it is removed.
    """
    trial = folder / f".trial-{secrets.token_hex(8)}"
    try:
        trial.mkdir(parents=True)
        (trial / "file").write_bytes(bytes(4096))
        free = shutil.disk_usage(trial).free
    except OSError as error:
        message = (
            f"{folder}: cannot be written to ({error.strerror or error}); Cog makes a folder there"
            f" for each prediction, so the user of this server has to own it{say_owner(folder)}"
        )
        raise Refusal(503, ("server",), message) from None
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    if free < _MIN_DISK_BYTES:
        message = (
            f"{folder}: {free >> 20} MiB of its disk are free, and {_MIN_DISK_BYTES >> 20} are"
            " needed; free some of it"
        )
        raise Refusal(503, ("server",), message)


def check_prediction(identifier: str) -> None:
    """Raise Refusal if Cog could not make the folders of a prediction. Leaves none of a new one."""
    folder = COGS_FOLDERS / identifier
    if os.path.lexists(folder):
        for name in ("inputs", "outputs"):
            check_disk(folder / name)
    else:
        check_disk()


def remove_folders(identifier: str) -> None:
    """Remove the folders of a prediction that has ended, as far as they are empty and no links."""
    folder = COGS_FOLDERS / identifier
    with suppress(OSError):
        if not folder.is_symlink():
            for name in ("inputs", "outputs"):
                (folder / name).rmdir()
            folder.rmdir()
