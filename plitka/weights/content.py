"""Says what a file is by its bytes, whatever its name says: weights, a package, or neither."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from plitka.errors import WeightsError
from plitka.weights.tar import open_tar

Kind: TypeAlias = Literal["safetensors", "zip", "tar"]

SUFFIXES: Mapping[Kind, tuple[str, ...]] = {
    "safetensors": (".safetensors", ".pti"),
    "zip": (".zip",),
    "tar": (".tar", ".tgz", ".tar.gz", ".txz", ".tar.xz", ".tbz2", ".tar.bz2"),
}
"""How files of a kind are named; the first is given to one whose name has none of these."""

START = 4096
"""Bytes at the beginning that a page and a pickle are told by; a kind, by the whole file."""

_LONGEST_HEADER = 100_000_000  # bytes, as safetensors itself allows
_PAGES = (
    (rb"<!doctype html|<html|<head", "a web page", rb"<title[^>]*>\s*([^<]{1,80}?)\s*</title"),
    (rb"<\?xml|<error", "an XML answer", rb"<code>([\w.]{1,80})</code"),
    (rb"[{\[]", "a JSON answer", rb'"(?:error|detail|message)":\s*"([^"?]{1,80})"'),
    (rb"version https://git-lfs", "a Git LFS pointer", rb"$^"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]|PK\x03\x04.{26}[^\0]{1,200}?/data\.pkl", re.DOTALL)


def find_kind(path: Path) -> Kind | None:
    """What a file is; None for what is no weights, such as a pickle. Raises OSError.

    A tar is asked for before a zip, which is told by its end: the last file in a tar may be one.
    """
    with path.open("rb") as file:
        start = file.read(START)
    if _begins_as_safetensors(start):
        length = int.from_bytes(start[:8], "little")
        return "safetensors" if 8 + length <= path.stat().st_size else None
    if is_pickle(start):
        return None
    try:
        with open_tar(path):
            return "tar"
    except (EOFError, ValueError, zlib.error, lzma.LZMAError):
        return None  # a compressed one that is damaged
    except tarfile.TarError:
        pass  # none, but it may be a zip
    try:
        return "zip" if zipfile.is_zipfile(path) else None
    except zipfile.BadZipFile:  # it says of itself that it is one of several
        return None


def refuse_special(path: Path, title: str) -> None:
    """Raise WeightsError for a pipe, a socket or a device, which could be read for ever."""
    try:
        mode = path.stat().st_mode
    except OSError:  # told where it is read
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise WeightsError(f"{title}: is a pipe, a socket or a device, not a file; name a file")


def is_pickle(start: bytes) -> bool:
    """Whether a file that begins like this is a pickle, or a zip as PyTorch saves one."""
    return _PICKLE.match(start) is not None and not _begins_as_safetensors(start)


def describe_page(start: bytes) -> str | None:
    """What text begins like this, with the title or the code it has; None for no known text."""
    if _begins_as_safetensors(start) or start[257:262] == b"ustar":  # the mark of a tar
        return None
    start = start[:START].removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, kind, title in _PAGES:
        if re.match(mark, start, re.IGNORECASE):
            found = re.search(title, start, re.IGNORECASE)
            return kind if found is None else f"{kind} ({found[1].decode(errors='replace')})"
    return None


def _begins_as_safetensors(start: bytes) -> bool:
    """Whether it begins with a header's length, and the header's brace."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= _LONGEST_HEADER
