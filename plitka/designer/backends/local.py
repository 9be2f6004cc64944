"""Photographs by the sdxl engine in this process, one at a time."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

from plitka import pipeline
from plitka.designer.backends.base import Event, Progress, Shot
from plitka.designer.errors import Fault, make_recipe_fault
from plitka.designer.shown_shares import read_shares
from plitka.engines import registry
from plitka.engines.base import Engine
from plitka.engines.sdxl import readiness
from plitka.errors import EngineError
from plitka.images.png import encode_png
from plitka.request.plan import PictureKind, count_steps
from plitka.request.recipe import Recipe, RecipeError
from plitka.runtime.background import Cancelled
from plitka.settings import Settings


class LocalBackend:
    """Makes photographs with the sdxl engine, which is loaded at the first one."""

    kind = "here"
    title = ""

    def __init__(self, settings: Settings, weights: Path | str | None) -> None:
        """weights: as setup() takes them."""
        self._settings = settings
        self._weights = weights
        self._engine: Engine | None = None
        self._loading: asyncio.Future[Engine] | None = None
        self._turn = asyncio.Lock()

    async def check(self) -> None:
        if self._engine is not None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._check_ready)
        except EngineError as error:
            raise Fault("engine", str(error), status=503) from None

    async def photograph(self, recipe: Recipe) -> AsyncGenerator[Event]:
        if self._turn.locked():
            yield Progress("waiting")
        async with self._turn:
            if self._engine is None:
                yield Progress("loading")
                self._engine = await self._await_engine()
            run = _Run(recipe, self._engine, self._settings.options.overlap)
            try:
                while (event := await run.next()) is not None:
                    yield event
            finally:
                await run.end()

    async def _await_engine(self) -> Engine:
        """Load the engine in a thread. Loading goes on if this is cancelled, for the next caller.

        Raises Fault.
        """
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

    def _check_ready(self) -> None:
        readiness.check_ready(self._settings.sdxl, self._weights)

    def _load_engine(self) -> Engine:
        settings = self._settings
        return registry.load_engine(
            "sdxl",
            lambda: settings.sdxl,
            self._weights,
            settings.init,
            settings.bank_folder,
            prepared=True,
        )


class _Run:
    """One photograph, made in a thread of its own; its events are queued here."""

    def __init__(self, recipe: Recipe, engine: Engine, overlap: bool) -> None:
        self._recipe = recipe
        self._overlap = overlap
        self._engine = engine
        self._cancelled = threading.Event()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._work = self._loop.run_in_executor(None, self._make)
        self._work.add_done_callback(lambda _: self._events.put_nowait(None))

    async def next(self) -> Event | None:
        """Wait for the next event; None at the end. Raises Fault if the run has failed."""
        event = await self._events.get()
        if event is None:
            try:
                await self._work
            except RecipeError as error:
                raise make_recipe_fault(error) from None
            except EngineError as error:
                raise Fault("engine", str(error), status=503) from None
        return event

    async def end(self) -> None:
        """Cancel the run if it is not done, and wait until the engine is free."""
        self._cancelled.set()
        await asyncio.wait([self._work])
        self._work.exception()  # retrieved, so that asyncio does not log it

    def _make(self) -> None:
        """Make the pictures in the thread. Raises Cancelled, RecipeError and EngineError."""
        plan = pipeline.plan_for_engine(self._recipe, self._engine)
        lengths = {"preview": plan.steps_preview, "final": plan.steps_final}
        done = dict.fromkeys(lengths, 0)

        def at_step(kind: PictureKind) -> None:
            if self._cancelled.is_set():
                raise Cancelled
            done[kind] += 1
            steps = count_steps(lengths[kind], plan.strength)
            self._send(Progress("preview" if kind == "preview" else "final", done[kind], steps))

        self._send(Progress("preview"))
        for picture in pipeline.make(self._recipe, self._engine, self._overlap, at_step):
            if self._cancelled.is_set():
                return
            png = encode_png(picture.image, picture.record)
            self._send(Shot(picture.kind, png, read_shares(picture.record)))

    def _send(self, event: Event) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)
