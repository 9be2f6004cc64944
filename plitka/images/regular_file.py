"""A path -> the whole content of a regular file. Pipes, devices and folders are never opened."""

import os
from pathlib import Path

from plitka.images.errors import Unreadable
from plitka.whole_file import name_kind


def read_content(path: Path, most_bytes: int) -> bytes:
    """Read a regular file, following links.

    Raises Unreadable if it is no regular file, larger than `most_bytes`, or cannot be read.
    """
    try:
        _check_kind(path.stat())  # before it is opened, which a tape or a pipe would notice
        # Should a pipe have taken the file's place since, then opening it would wait for ever.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
            status = os.fstat(file.fileno())
            _check_kind(status)
            if status.st_size > most_bytes:
                raise Unreadable(f"has {status.st_size:,} bytes; at most {most_bytes:,} are read")
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or type(error).__name__})") from None
    except ValueError:  # a null character in the path
        raise Unreadable("no file can have this name") from None
    if len(content) > most_bytes:
        raise Unreadable(f"has more than {most_bytes:,} bytes, and no more are read")
    return content


def _check_kind(status: os.stat_result) -> None:
    """Raise Unreadable for all but a regular file."""
    if kind := name_kind(status):
        raise Unreadable(f"is {kind}, not a file")
