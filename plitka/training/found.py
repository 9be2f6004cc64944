"""What an inspection gathers: photographs with what was found of each, faults and warnings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from plitka.color.palette import Color
from plitka.printable import make_printable
from plitka.training.photograph_reading import Look

Origin: TypeAlias = Literal["given", "corrected", "measured", "folder"]
"""Where the caption that is used is from."""


@dataclass(frozen=True)
class ListedPhotograph:
    """A photograph before it is read. text: beside it, if any. digest: SHA-256 in hex."""

    file: Path
    text: Path | None
    digest: str


@dataclass(frozen=True, eq=False)
class Found:
    """A photograph that was read, with the caption that is used; see TrainingPhotograph."""

    listed: ListedPhotograph
    look: Look
    colors: tuple[Color, ...]
    shares: tuple[float, ...]
    given: str | None
    origin: Origin
    measured: tuple[float, ...]


@dataclass
class Notes:
    """Faults and warnings so far, each of a file. folder: that files' names are told from."""

    folder: Path
    _faults: list[tuple[str, str]] = field(default_factory=list)
    _warnings: list[tuple[str, str]] = field(default_factory=list)

    def fault(self, file: Path, text: str) -> None:
        """Note what stops the training."""
        self._faults.append((self.name(file), text))

    def warn(self, file: Path, text: str) -> None:
        """Note what is only told."""
        self._warnings.append((self.name(file), text))

    def name(self, file: Path) -> str:
        """Name a file or folder by its path in the folder, with /; the folder by its own name."""
        if file == self.folder:
            return make_printable(file.resolve().name)
        return make_printable(file.relative_to(self.folder).as_posix())

    def list_faults(self) -> tuple[str, ...]:
        """List the faults in the order of the files' names."""
        return tuple(f"{name}: {text}" for name, text in sorted(self._faults))

    def list_warnings(self) -> tuple[str, ...]:
        """List the warnings in the order of the files' names."""
        return tuple(f"{name}: {text}" for name, text in sorted(self._warnings))


@dataclass
class Progress:
    """How many of how many photographs are done; each is told once."""

    total: int
    tell: Callable[[int, int], None]
    done: int = 0

    def step(self) -> None:
        """Tell that one more is done."""
        self.done += 1
        self.tell(self.done, self.total)


def write_caption(colors: Sequence[Color], shares: Sequence[float]) -> str:
    """Write a caption: "60% red, 40% blue". shares: 0 to 1."""
    parts = zip(colors, shares, strict=True)
    return ", ".join(f"{round(100 * share, 1):g}% {color.phrase}" for color, share in parts)
