"""What torch.compile has made for a card, kept in the snapshot, so that later starts are quick.

    snapshot/compiled/NVIDIA_L40S-2.13.0_cu130-float16.artifacts

The first line says what it is and the SHA-256 of the rest, which is what torch itself writes
(torch.compiler.save_cache_artifacts). torch looks into it by a hash of the code, of its own version
and of the card, and compiles what it does not find.

Such a file is code, and holds pickles. So it is read with PLITKA_COMPILE on alone, and only from
the snapshot that PLITKA_BASE names, which the operator chose; and not where others on this machine
could have put it. A package of weights never brings one.
"""

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any

import torch

from plitka import whole_file
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import COMPILE
from plitka.runtime.timing import log

FOLDER = "compiled"

_MARK = b"plitka compiled code, form 1, SHA-256 "
_compiler: Any = torch.compiler  # partly typed


class CompiledCode:
    """The code for one device in a snapshot. folder: of the snapshot."""

    def __init__(self, folder: Path, on: Device) -> None:
        words = (on.title, torch.__version__, on.dtype)
        name = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", word) for word in words)
        self.path = folder / FOLDER / f"{name}.artifacts"
        self._known: set[tuple[str, str]] = set()  # kind and key of each artifact in the file

    def load(self) -> None:
        """Give torch what the file holds, where there is one that can be trusted."""
        try:
            content = _read_trusted(self.path)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as fault:
            log.warning("%s: %s is not used: %s", COMPILE, self.path, fault)
            return
        info = _compiler.load_cache_artifacts(content)
        self._known = _list_artifacts(info)
        log.info("%s: %s holds %d pieces of code", COMPILE, self.path, len(self._known))

    def save(self) -> None:
        """Write what was compiled so far, if there is more of it than the file holds."""
        saved = _compiler.save_cache_artifacts()
        if saved is None:
            return
        content, info = saved
        if _list_artifacts(info) <= self._known:
            return
        digest = hashlib.sha256(content).hexdigest().encode()
        try:
            self.path.parent.mkdir(exist_ok=True)
            whole_file.write(self.path, _MARK + digest + b"\n" + content)
        except OSError as fault:
            log.warning(
                "%s: what was compiled is not kept, and compiled again at the next start: %s; let"
                " %s be written, once for each kind of card",
                COMPILE,
                fault.strerror or fault,
                self.path,
            )
            return
        log.info("%s: compiled code is kept in %s", COMPILE, self.path)


def _read_trusted(path: Path) -> bytes:
    """Read the file without its first line. Raises OSError, ValueError with what is wrong."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        for status in (os.fstat(file.fileno()), path.parent.lstat()):
            if status.st_uid not in (0, os.geteuid()):
                raise ValueError(f"it belongs to another user ({status.st_uid})")
            if status.st_mode & stat.S_IWOTH:
                raise ValueError("all users may write to it")
        head, content = file.readline(len(_MARK) + 80), file.read()
    if head != _MARK + hashlib.sha256(content).hexdigest().encode() + b"\n":
        raise ValueError("it is damaged; remove it, and it is written anew")
    return content


def _list_artifacts(info: Any) -> set[tuple[str, str]]:
    """List kind and key of each artifact. info: torch's CacheInfo, None for nothing."""
    kinds = {} if info is None else info.artifacts
    return {(kind, key) for kind, keys in kinds.items() for key in keys}
