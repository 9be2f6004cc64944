"""Files that are no photographs, under the names of photographs."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from PIL import Image


def bind_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(file.parent)  # an address has 107 bytes at most
        try:
            bound.bind(file.name)
        finally:
            os.chdir(here)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda file: file.write_bytes(b""), "is empty"),
    "text": (lambda file: file.write_text("no picture"), "picture"),
    "folder": (lambda file: file.mkdir(), "is a folder"),
    "pipe": (os.mkfifo, "is a pipe"),
    "socket": (bind_socket, "is a socket"),
    "dangling link": (lambda file: file.symlink_to("nowhere"), "No such file"),
    "link to itself": (lambda file: file.symlink_to(file.name), "symbolic links"),
    "link to a device": (lambda file: file.symlink_to("/dev/zero"), "is a device"),
    "dot": (lambda file: Image.new("RGB", (1, 1)).save(file), "too small to measure"),
    "stripe": (lambda file: Image.new("RGB", (9000, 200)).save(file), "too narrow to measure"),
}
