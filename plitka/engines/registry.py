"""Loads an engine by its name."""

from __future__ import annotations  # the types below are heavy to import, and only named here

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from plitka.errors import EngineError, NoModelError, UnwantedEngineError
from plitka.messages.message import Message
from plitka.runtime.memory import measure_free_main_memory
from plitka.runtime.reading_ahead import ReadAhead
from plitka.runtime.timing import Stages, describe_reading, log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plitka.engines.base import Engine
    from plitka.engines.photo import PhotoEngine
    from plitka.engines.procedural import RenderEngine
    from plitka.engines.sdxl.engine import SdxlEngine
    from plitka.engines.sdxl.options import SdxlSettings
    from plitka.request.recipe import Recipe

NAMES = ("sdxl", "render", "photo")

WITHOUT_WEIGHTS = ("render", "photo")
"""Those that read no weights and need no GPU; each can paint what sdxl starts from."""

DEFAULT_INIT = "render"

WITHOUT_MODEL = (
    "To draw tiles without a diffusion model: --engine render on the command line, or"
    " PLITKA_ENGINE=render"
)
"""What whoever lacks the model, and may never have wanted it, is told first."""


@dataclass(frozen=True)
class EngineChoice:
    """Which engine draws, and all that it is loaded by; another process can load it by this.

    package: what setup() was given as weights. sdxl: None for the engines that need none. init:
    which engine paints what sdxl starts from. bank: the photo engine's, None where there is none.
    """

    name: str
    package: Path | str | None
    sdxl: SdxlSettings | None
    init: str
    bank: Path | None

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError if the recipe asks for something that this engine cannot do.

        The engine need not be loaded for it; once it is, it checks the same.
        """
        if self.sdxl is not None:
            from plitka.engines.sdxl import refusals

            refusals.check_recipe(recipe, self.sdxl.weights.turbo_lora is not None)

    def load(self, prepared: bool = False) -> Engine:
        """Load the engine. Raises EngineError, with the remedy.

        prepared: as `load_engine` takes it.
        """

        def read_sdxl() -> SdxlSettings:
            assert self.sdxl is not None, "chosen for an engine without weights"
            return self.sdxl

        try:
            return load_engine(self.name, read_sdxl, self.package, self.init, self.bank, prepared)
        except NoModelError as fault:  # whoever has chosen an engine can choose another
            lacks = "{remedy}. What sdxl lacks:\n{faults}"
            remedy = Message.of(WITHOUT_MODEL)
            raise UnwantedEngineError(Message.of(lacks, remedy=remedy, faults=str(fault))) from None


def check_name(name: str) -> str:
    """Give the name back. Raises EngineError where no engine has it."""
    if name not in NAMES:
        raise EngineError(
            f"PLITKA_ENGINE: there is no engine {name!r}; choose one of: {', '.join(NAMES)}"
        )
    return name


def check_init(name: str) -> str:
    """Give the name of a painter of init images back. Raises EngineError where none has it."""
    if name not in WITHOUT_WEIGHTS:
        raise EngineError(
            f"PLITKA_INIT: no engine named {name!r} paints init images;"
            f" choose one of: {', '.join(WITHOUT_WEIGHTS)}"
        )
    return name


def check_bank(folder: Path | None) -> Path:
    """Give the photo bank's folder back. Raises EngineError where there is none."""
    if folder is not None and folder.is_dir():
        return folder
    missing = "there is no photo bank" if folder is None else f"{folder}: there is no photo bank"
    raise EngineError(
        f"{missing}; put photographs of your one-colour tiles into folders named after colour"
        " codes, refs/DKGREEN/1.jpg, and run python -m plitka calibrate refs; PLITKA_BANK names a"
        " bank that lies elsewhere"
    )


def load_engine(
    name: str,
    read_sdxl: Callable[[], SdxlSettings],
    package: Path | str | None = None,
    init: str = DEFAULT_INIT,
    bank: Path | None = None,
    prepared: bool = False,
) -> Engine:
    """Load the engine of this name, and never another one.

    read_sdxl: gives what the sdxl engine is loaded by; called for that engine alone. package:
    what setup() was given as weights. init: which engine paints what sdxl starts from. bank: the
    photo engine's, None where there is none. prepared: whether what the first pictures would wait
    for is done now, which is for those who draw many. Raises EngineError, with the remedy.
    """
    if check_name(name) in WITHOUT_WEIGHTS:
        return _load_painter(name, bank)
    painter = _load_painter(check_init(init), bank)
    from plitka.weights import files_ahead  # reads files with NumPy, which `plan` does without

    settings = read_sdxl()
    stages = Stages()
    files = files_ahead.list_files(settings.weights, package)
    half = measure_free_main_memory() // 2  # the other half is for what is loaded of them
    with ReadAhead(files, half) as reading:
        with stages("import libraries"):
            from plitka.engines.sdxl import engine
        loaded = engine.load_sdxl(settings, package, painter, stages)
        if prepared:
            loaded.prepare(stages)
    if reading.size:
        log.info("read ahead, beside all that: %s", describe_reading(reading.size, reading.seconds))
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in stages.seconds.items())
    log.info("setup took %.1f s: %s", sum(stages.seconds.values()), parts)
    return loaded


def prepare(engine: Engine) -> None:
    """Do now what the next pictures would wait for; those who draw many get them sooner.

    As `prepared` of `load_engine`. Only sdxl has anything to do. Raises EngineError.
    """
    if engine.name == "sdxl":
        cast("SdxlEngine", engine).prepare(Stages())


def _load_painter(name: str, bank: Path | None) -> RenderEngine | PhotoEngine:
    """Load an engine that needs no weights."""
    if name == "render":
        from plitka.engines.procedural import RenderEngine

        return RenderEngine()
    folder = check_bank(bank)
    from plitka.bank import files
    from plitka.engines.photo import PhotoEngine

    with Stages()("load bank"):
        return PhotoEngine(files.load_bank(folder))
