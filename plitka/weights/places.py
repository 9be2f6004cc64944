"""Where the files of a LoRA or of embeddings lie: a folder here, or a repository of the hub."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from plitka.errors import WeightsError
from plitka.weights import hub
from plitka.weights.header import Header, read_header
from plitka.weights.hub import Remote

_MOST_TEXT = 2**20  # bytes of a JSON file


class Place(Protocol):
    """Where files lie. names: of all files, relative to the place, with /."""

    @property
    def title(self) -> str: ...

    @property
    def kind(self) -> str:
        """What it is, with its article."""
        ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def name_member(self, name: str) -> str:
        """What sentences call a file."""
        ...

    def read_header(self, name: str) -> Header: ...

    def read_text(self, name: str) -> str: ...

    def plan_fetching(self, names: Iterable[str]) -> Remote | None:
        """What of these files is to be fetched before they can be read whole."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder on this machine.

    archive: what sentences call the archive that is unpacked in it. alone: what they call its first
    file, where that is a package by itself. passed_over: names of an archive's other files.
    """

    path: Path
    names: tuple[str, ...]
    archive: str | None = None
    alone: str | None = None
    remedy: str = "pack it again"
    kind: str = "a folder"
    passed_over: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return self.archive or str(self.path)

    def name_member(self, name: str) -> str:
        if self.alone is not None and name == self.names[0]:
            return self.alone
        return f"{self.archive}: {name}" if self.archive else str(self.path / name)

    def read_header(self, name: str) -> Header:
        return read_header(self.path / name, self.remedy, self.name_member(name))

    def read_text(self, name: str) -> str:
        try:
            with (self.path / name).open("rb") as file:
                text = file.read(_MOST_TEXT + 1)
            if len(text) <= _MOST_TEXT:
                return text.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise WeightsError(
                f"{self.name_member(name)}: cannot be read ({error}); {self.remedy}"
            ) from None
        raise _explain_long_text(self.name_member(name))

    def plan_fetching(self, names: Iterable[str]) -> None:
        return None


@dataclass(frozen=True)
class Repository:
    """A repository of the hub. listed: its files -> (bytes, whether it is cached)."""

    title: str
    listed: Mapping[str, tuple[int, bool]]
    setting: str
    kind: str = "a repository"

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.listed)

    def name_member(self, name: str) -> str:
        return f"{self.title}/{name}"

    def read_header(self, name: str) -> Header:
        cached = hub.find_cached_file(self.title, name) if self.listed[name][1] else None
        if cached is not None:
            return read_header(cached, f"fetch it again for {self.setting}", self.name_member(name))
        return hub.read_remote_header(self.title, name, self.setting)

    def read_text(self, name: str) -> str:
        if self.listed[name][0] > _MOST_TEXT:
            raise _explain_long_text(self.name_member(name))
        return hub.read_remote_text(self.title, name, self.setting, _MOST_TEXT)

    def plan_fetching(self, names: Iterable[str]) -> Remote | None:
        names = tuple(names)
        missing = tuple(name for name in names if not self.listed[name][1])
        size = sum(self.listed[name][0] for name in missing)
        return Remote(self.title, names, missing, size) if missing else None


def _explain_long_text(title: str) -> WeightsError:
    return WeightsError(
        f"{title}: larger than 1 MiB, and what trainers write there is not; take the file that was"
        " saved with the weights, or leave it out"
    )


def is_hidden(name: str) -> bool:
    """Whether a packer of archives left a file there, and nobody who trains."""
    return any(part.startswith(("._", "__MACOSX")) for part in PurePosixPath(name).parts)


def list_folder(
    path: Path,
    archive: str | None = None,
    passed_over: tuple[str, ...] = (),
    remedy: str = "pack it again",
) -> Folder:
    """List all files below a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    names = tuple(file.relative_to(path).as_posix() for file in files)
    return Folder(path, names, archive, remedy=remedy, passed_over=passed_over)
