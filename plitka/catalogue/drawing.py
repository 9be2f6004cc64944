"""One tile of a catalogue: a recipe -> its pictures, thumbnail and record."""

import hashlib
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plitka import __version__, pipeline
from plitka.catalogue.rows import Row
from plitka.catalogue.shelf import MadeTile, Shelf
from plitka.engines.base import Engine
from plitka.engines.registry import EngineChoice
from plitka.errors import EngineError
from plitka.ground.zones import sum_up_shares
from plitka.images import png
from plitka.pipeline import Picture
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import Recipe, RecipeError
from plitka.runtime.memory import trim_heap

THUMBNAIL_SIDE = 160  # pixels
_MARGIN = 244  # gray of a thumbnail's margin, 0 to 255
_THUMBNAIL_QUALITY = 72  # of a JPEG: 9 KB, for crumb is as hard as noise
SHOWN: tuple[PictureKind, ...] = ("final", "preview", "colormap")  # what stands for a tile


@dataclass(frozen=True)
class Job:
    """A tile to draw. key: of all that its bytes depend on."""

    row: Row
    key: str


@dataclass(frozen=True)
class Done:
    """A tile was drawn and put on the shelf.

    seconds: that it took, writing included. engine_seconds: of them, until its pictures were there.
    """

    seconds: float
    engine_seconds: float


@dataclass(frozen=True)
class Failed:
    """A tile was not drawn. is_final: whether none could be drawn, so that all else is in vain."""

    reason: str
    is_final: bool = False


@dataclass
class Drawer:
    """Draws tiles, in a process of its own: loads the engine once, and puts tiles on a shelf.

    prepared: as EngineChoice.load takes it.
    """

    choice: EngineChoice
    shelf: Shelf
    pictures: tuple[PictureKind, ...]
    overlap: bool
    prepared: bool = False
    _engine: Engine | None = field(default=None, init=False)
    _fault: str = field(default="", init=False)
    _working: ExitStack = field(default_factory=ExitStack, init=False)

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: all but the engine."""
        return {**self.__dict__, "_engine": None, "_working": None}

    def load(self) -> None:
        """Load the engine; a fault is told with the first tile."""
        cv2.setNumThreads(1)  # there is a process for each processor already
        self._working = ExitStack()
        self._working.enter_context(self.shelf.work())
        try:
            self._engine = self.choice.load(self.prepared)
        except (EngineError, OSError) as fault:
            self._fault = str(fault)

    def draw(self, job: Job) -> Done | Failed:
        """Draw a tile and put it on the shelf."""
        if self._engine is None:
            return Failed(self._fault, is_final=True)
        start = time.perf_counter()
        try:
            tile, seconds = make_tile(job, self._engine, self.pictures, self.overlap, start)
            self.shelf.put(tile)
        except (RecipeError, EngineError) as fault:
            return Failed(str(fault))
        except OSError as fault:  # the disk is full, or gone
            return Failed(str(fault), is_final=True)
        except MemoryError:
            return Failed("there is too little memory to draw it")
        finally:
            trim_heap()
        return Done(round(time.perf_counter() - start, 3), seconds)


def fingerprint(choice: EngineChoice, pictures: Sequence[PictureKind], zipped: bool) -> str:
    """Make the digest of all but the recipe that a tile's bytes depend on.

    That are the program's version, the engine with its weights and bank, by the sizes and times of
    their files, and what is written.
    """
    sdxl = choice.sdxl
    if sdxl is not None:  # whose other fields are told by these, and have no order
        sdxl = replace(sdxl, weights=replace(sdxl.weights, named=frozenset(), cache=None))
    sources = (choice.package, choice.bank, *_list_weights(choice))
    files = [entry for source in sources for entry in _stamp(source)]
    what = (__version__, choice.name, choice.init, sdxl, files, tuple(pictures), zipped)
    return hashlib.sha256(repr(what).encode()).hexdigest()


def make_key(row: Row, made_by: str) -> str:
    """Make the key of a tile: the digest of all that makes its bytes. made_by: a fingerprint."""
    what = (row.name, row.stem, row.recipe, made_by)
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _list_weights(choice: EngineChoice) -> Iterator[Path | str | None]:
    if choice.sdxl is not None:
        weights = choice.sdxl.weights
        yield from (weights.base, weights.vae, weights.lora, weights.embeddings)
        yield weights.turbo_lora


def _stamp(source: Path | str | None) -> Iterator[tuple[str, int, int]]:
    """Stamp the files of a source: sizes and times; its name alone where it is no place here."""
    if source is None:
        return
    path = Path(source)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        try:
            status = file.stat()
        except OSError:
            yield str(source), 0, 0
        else:
            yield str(file), status.st_size, status.st_mtime_ns


def make_tile(
    job: Job, engine: Engine, pictures: Sequence[PictureKind], overlap: bool, start: float
) -> tuple[MadeTile, float]:
    """Make a tile; returns it with the seconds that the engine and the pipeline took."""
    row = job.row
    made = list(_make_pictures(row.recipe, engine, pictures, overlap))
    drawn = time.perf_counter() - start
    files = {f"{one.kind}.png": png.encode_png(one.image, one.record) for one in made}
    shown = next(one for kind in SHOWN for one in made if one.kind == kind)
    told = describe_tile(row, shown.record)
    seconds = time.perf_counter() - start
    return assemble(job, files, told, shown.image, seconds), round(drawn, 3)


def assemble(
    job: Job,
    pictures: Mapping[str, bytes],
    told: Mapping[str, Any],
    shown: NDArray[np.uint8],
    seconds: float,
) -> MadeTile:
    """Assemble a tile of its pictures, by the names of their files, and what is told of them."""
    text = (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()
    record = {"key": job.key, "seconds": round(seconds, 3), "tile": told}
    files = {**pictures, "tile.json": text}
    return MadeTile(job.row.stem, files, make_thumbnail(shown), record)


def _make_pictures(
    recipe: Recipe, engine: Engine, pictures: Sequence[PictureKind], overlap: bool
) -> Iterator[Picture]:
    """Make those pictures of a recipe that are asked for."""
    if set(pictures) == set(PICTURE_SIZES):
        yield from pipeline.make(recipe, engine, overlap)
        return
    layout = engine.lay(recipe)
    for kind in pictures:
        yield pipeline.make_one(kind, recipe, engine, layout)


def describe_tile(row: Row, record: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a tile: what was asked for, and what its picture shows. Equal for equal requests.

    record: of the picture that stands for it.
    """
    parts = sum_up_shares(row.recipe)
    names = [part.name for part in parts]
    return {
        "name": row.name,
        "version": record["version"],
        "engine": record["engine"],
        "request": row.recipe.request(),
        "colors": {part.name: part.color.hex for part in parts},
        "asked": {part.name: round(part.share, 5) for part in parts},
        "picture": record["picture"],
        "shown": {name: record["shares"][name] for name in names},
        "counted": record["counted"],
        "measured": {name: record["measured"][name] for name in names},
        "total_variation": record["total_variation"],
        "total_variation_measured": record.get("total_variation_measured"),
    }


def make_thumbnail(image: NDArray[np.uint8]) -> bytes:
    """Make the JPEG of THUMBNAIL_SIDE pixels a side that sheets show.

    A surface that is no square has a margin on two sides.
    """
    scale = THUMBNAIL_SIDE / max(image.shape)
    height, width = (max(round(side * scale), 1) for side in image.shape[:2])
    top, left = (THUMBNAIL_SIDE - height) // 2, (THUMBNAIL_SIDE - width) // 2
    small = np.full((THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3), _MARGIN, np.uint8)
    small[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA
    )
    file = io.BytesIO()
    Image.fromarray(small).save(file, "JPEG", quality=_THUMBNAIL_QUALITY)
    return file.getvalue()
