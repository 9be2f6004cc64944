"""Photographs by the sdxl engine in this process, one at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable

from plitka import images, pipeline
from plitka.designer.backends.base import Event, Progress, Shot
from plitka.designer.errors import Fault, recipe_fault
from plitka.engines.base import Engine
from plitka.errors import EngineError
from plitka.request.plan import PictureKind, count_steps
from plitka.request.recipe import Recipe, RecipeError
from plitka.runtime.background import Cancelled


class LocalBackend:
    kind = "here"
    title = ""

    def __init__(self, load_engine: Callable[[], Engine], overlap: bool) -> None:
        self._load_engine = load_engine
        self._overlap = overlap
        self._engine: Engine | None = None
        self._loading: asyncio.Future[Engine] | None = None
        self._turn = asyncio.Lock()

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        if self._turn.locked():
            yield Progress("waiting")
        async with self._turn:
            if self._engine is None:
                yield Progress("loading")
                self._engine = await self._loaded()
            run = _Run(recipe, self._engine, self._overlap)
            try:
                while (event := await run.next()) is not None:
                    yield event
            finally:
                await run.end()

    async def _loaded(self) -> Engine:
        """The engine. Loading cannot be cancelled, so it goes on for whoever is next."""
        if self._loading is None:
            loop = asyncio.get_running_loop()
            self._loading = loop.run_in_executor(None, self._load_engine)
        try:
            return await asyncio.shield(self._loading)
        except EngineError as error:
            raise Fault("engine", str(error), status=503) from None
        finally:
            if self._loading.done():
                self._loading = None


class _Run:
    """One photograph in a thread of its own; its events wait here until they are asked for."""

    def __init__(self, recipe: Recipe, engine: Engine, overlap: bool) -> None:
        self._recipe = recipe
        self._overlap = overlap
        self._engine = engine
        self._stop = threading.Event()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._work = self._loop.run_in_executor(None, self._make)
        self._work.add_done_callback(lambda _: self._events.put_nowait(None))

    async def next(self) -> Event | None:
        """The next event, or None at the end. Raises Fault where the run has failed."""
        event = await self._events.get()
        if event is None:
            try:
                await self._work
            except RecipeError as error:
                raise recipe_fault(error) from None
            except EngineError as error:
                raise Fault("engine", str(error), status=503) from None
        return event

    async def end(self) -> None:
        """End the run if it is at work, and wait until the engine is free."""
        self._stop.set()
        await asyncio.wait([self._work])
        self._work.exception()  # looked at: it was told, or nobody waits for it

    def _make(self) -> None:
        settled = pipeline.plan_for_engine(self._recipe, self._engine)
        schedule = {"preview": settled.steps_preview, "final": settled.steps_final}
        step = dict.fromkeys(schedule, 0)

        def at_step(kind: PictureKind) -> None:
            if self._stop.is_set():
                raise Cancelled
            step[kind] += 1
            steps = count_steps(schedule[kind], settled.strength)
            self._tell(Progress("preview" if kind == "preview" else "final", step[kind], steps))

        self._tell(Progress("preview"))
        for made in pipeline.make(self._recipe, self._engine, self._overlap, at_step):
            if self._stop.is_set():
                return
            names = (part.name for part in self._recipe.shares)
            measured = dict(zip(names, made.shares, strict=True))
            self._tell(Shot(made.kind, images.encode_png(made.image, made.record), measured))

    def _tell(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)
