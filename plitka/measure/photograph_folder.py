"""Folders of photographs: which files are taken for photographs, and what is passed over."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plitka.images.photograph import SUFFIXES
from plitka.measure.captions import CAPTION_SUFFIX, pair_captions

# Kinds of what is passed over.
HIDDEN = "hidden"  # files and folders whose name begins with a dot
FOLDERS = "folders"
LINKS = "links"  # to folders
TEXTS = "texts"  # without a photograph
OTHERS = "other_files"


@dataclass(frozen=True)
class CaptionedFile:
    """A file that is taken for a photograph, by its suffix, and the text file beside it, if any."""

    file: Path
    caption: Path | None


@dataclass(frozen=True)
class Listing:
    """What lies in a folder.

    photographs: in the order of their names. faults: of the folders in it that cannot be listed,
    why. passed_over: how many of each kind, HIDDEN to OTHERS; kinds that are not there are missing.
    """

    photographs: tuple[CaptionedFile, ...]
    faults: Mapping[Path, str]
    passed_over: Mapping[str, int]


def list_photographs(folder: Path, recursive: bool = False) -> Listing:
    """List the photographs of a folder, and of those in it where `recursive`.

    A file whose name ends like a photograph's is taken for one, whatever it is. Links to folders
    are not followed, since they may lead back; nothing whose name begins with a dot is looked at.
    Raises OSError where the folder itself cannot be listed.
    """
    photographs: list[CaptionedFile] = []
    faults: dict[Path, str] = {}
    passed: Counter[str] = Counter()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as entries:
                kinds = {here / entry.name: _find_kind(entry) for entry in entries}
        except OSError as fault:
            if here == folder:
                raise
            faults[here] = f"cannot be listed ({fault.strerror or fault})"
            continue
        found = [file for file, kind in kinds.items() if _is_photograph(file, kind)]
        paired = pair_captions(found, kinds)
        photographs += [CaptionedFile(file, caption) for file, caption in paired.items()]
        if recursive:
            waiting += [file for file, kind in kinds.items() if kind == FOLDERS]
        captions = set(paired.values())
        for file, kind in kinds.items():
            entered = recursive and kind == FOLDERS
            if not (entered or file in paired or file in captions):
                passed[kind] += 1
    return Listing(tuple(sorted(photographs, key=lambda one: one.file)), faults, dict(passed))


def _is_photograph(file: Path, kind: str) -> bool:
    return kind != HIDDEN and file.suffix.lower() in SUFFIXES


def _find_kind(entry: os.DirEntry[str]) -> str:
    """Find what kind of thing lies in a folder, if it is no photograph."""
    if entry.name.startswith("."):
        return HIDDEN
    if entry.is_dir(follow_symlinks=False):
        return FOLDERS
    if entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 - never raises
        return LINKS
    return TEXTS if Path(entry.name).suffix.lower() == CAPTION_SUFFIX else OTHERS
