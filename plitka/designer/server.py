"""The designer's server: the page, and the pictures of whatever recipe a request holds.

It remembers nobody: each request brings its recipe along, so two people at one server never see
each other's tiles. All that is kept is what the same seed and angle can be drawn from again.
"""

import asyncio
import base64
import json
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from plitka import __version__
from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Palette
from plitka.designer import gallery, png_recipe, renderer, room_view, snippets
from plitka.designer.backends.base import Backend, Event, Progress
from plitka.designer.errors import Fault, recipe_fault
from plitka.designer.middleware import OwnPagesOnly, read_body
from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.designer.swatches import list_swatches
from plitka.request import parsing
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import MAX_SEED, QUALITIES, Recipe, RecipeError, draw_seed
from plitka.runtime.background import Cancelled

PAGE = Path(__file__).parent / "page"

_THREADS = 3  # that draw at once: OpenCV shares each picture among all processors
_ROOM_QUALITY = 92
_KEEP = {"Cache-Control": "max-age=86400"}
_CHECK = {"Cache-Control": "no-cache"}  # the page's files: asked for again, sent when changed

log = logging.getLogger("plitka")
T = TypeVar("T")


def make_app(photographer: Backend, palette: Palette) -> Starlette:
    """Make the server, as an ASGI application. palette: the colours that have names."""
    desk = _Desk(photographer, palette)
    return Starlette(
        routes=[
            Route("/", _front),
            Route("/start", desk.start),
            Route("/gallery/{code}.jpg", desk.sample),
            Route("/recipe", desk.read, methods=["POST"]),
            Route("/dropped", desk.drop, methods=["POST"]),
            Route("/draft", desk.draft, methods=["POST"]),
            Route("/pictures/{kind}", desk.picture, methods=["POST"]),
            Route("/room", desk.room, methods=["POST"]),
            Route("/photograph", desk.photograph, methods=["POST"]),
            Mount("/page", _PageFiles(directory=PAGE)),
        ],
        middleware=[Middleware(OwnPagesOnly)],
        exception_handlers={
            Fault: _faulty,
            RecipeError: _no_recipe,
            HTTPException: _no_such_page,
            Cancelled: _unheard,
            ClientDisconnect: _unheard,
            Exception: _broken,
        },
    )


class _PageFiles(StaticFiles):
    """The files of the page; a browser asks each time whether they have changed."""

    def file_response(self, *args: Any, **named: Any) -> Response:
        response = super().file_response(*args, **named)
        response.headers.update(_CHECK)
        return response


async def _front(_: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers=_CHECK)


class _Desk:
    """Answers to requests."""

    def __init__(self, photographer: Backend, palette: Palette) -> None:
        self._palette = palette
        self._easel = Renderer()
        self._photographer = photographer
        self._threads = CapacityLimiter(_THREADS)
        self._samples: dict[str, bytes] = {}

    async def start(self, _: Request) -> Response:
        """What the page has to know: colours, samples, limits, and who takes photographs."""
        told = {
            "version": __version__,
            "swatches": [asdict(swatch) for swatch in list_swatches(self._palette)],
            "gallery": [
                {
                    "code": sample.code,
                    "recipe": snippets.write_request(sample.recipe(self._palette), self._palette),
                }
                for sample in gallery.SAMPLES
            ],
            "qualities": QUALITIES,
            "most": {"colors": MAX_COLORS, "seed": MAX_SEED},
            "photographer": {"kind": self._photographer.kind, "title": self._photographer.title},
        }
        return JSONResponse(told)

    async def sample(self, request: Request) -> Response:
        """A recipe of the gallery as a picture."""
        code = request.path_params["code"]
        sample = next((s for s in gallery.SAMPLES if s.code == code), None)
        if sample is None:
            raise HTTPException(404)
        if code not in self._samples:
            asked = sample.recipe(self._palette)
            self._samples[code] = await self._worked(
                request, lambda go_on: self._easel.draft(asked, go_on, gallery.SIZE)
            )
        return Response(self._samples[code], media_type="image/jpeg", headers=_KEEP)

    async def read(self, request: Request) -> Response:
        """The recipe as the page keeps it, and the texts in which others can make the tile."""
        return JSONResponse(self._told(await self._asked(request)))

    async def drop(self, request: Request) -> Response:
        """The recipe in a PNG file."""
        return JSONResponse(
            self._told(
                png_recipe.read_recipe(
                    await read_body(request, png_recipe.MOST_BYTES), self._palette
                )
            )
        )

    async def draft(self, request: Request) -> Response:
        asked = await self._asked(request)
        made = await self._worked(request, lambda go_on: self._easel.draft(asked, go_on))
        return Response(made, media_type="image/jpeg")

    async def picture(self, request: Request) -> Response:
        """A PNG file; what was measured on it is in the header Plitka-Measured."""
        kind: PictureKind | None = next(
            (k for k in PICTURE_SIZES if k == request.path_params["kind"]), None
        )
        if kind is None:
            raise HTTPException(404)
        asked = await self._asked(request)
        made, shares = await self._worked(
            request, lambda go_on: self._easel.picture(asked, kind, go_on)
        )
        names = (part.name for part in asked.shares)
        measured = json.dumps(dict(zip(names, shares, strict=True)))
        return Response(made, media_type="image/png", headers={"Plitka-Measured": measured})

    async def room(self, request: Request) -> Response:
        """The room of a recipe, or of a photograph that was taken of one."""
        if request.headers.get("content-type") == "image/png":
            png = await read_body(request, png_recipe.MOST_BYTES)
            asked = png_recipe.read_recipe(png, self._palette)
            made = await self._worked(
                request, lambda _: _furnished(png_recipe.read_pixels(png), asked)
            )
        else:
            asked = await self._asked(request)
            made = await self._worked(request, lambda go_on: self._room(asked, go_on))
        return Response(made, media_type="image/jpeg")

    def _room(self, asked: Recipe, go_on: CheckCancelled) -> bytes:
        png, _ = self._easel.picture(asked, "final", go_on)
        go_on()
        return _furnished(png_recipe.read_pixels(png), asked)

    async def photograph(self, request: Request) -> Response:
        """Progress and pictures as they come, a JSON object on each line."""
        asked = await self._asked(request)
        lines = _lines(self._photographer.photograph(asked))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def _asked(self, request: Request) -> Recipe:
        """The recipe in a request, with a seed."""
        body = await read_body(request, 2 * parsing.MAX_BYTES)
        text = body.decode("utf-8", "replace")
        return draw_seed(parsing.parse(text, self._palette))

    def _told(self, asked: Recipe) -> dict[str, Any]:
        asked = draw_seed(asked)
        return {
            "recipe": snippets.write_request(asked, self._palette),
            "texts": snippets.write_snippets(asked, self._palette),
        }

    async def _worked(self, request: Request, work: Callable[[CheckCancelled], T]) -> T:
        """What the work gives, done in a thread. It ends early when nobody waits any more."""
        gone = threading.Event()

        def go_on() -> None:
            if gone.is_set():
                raise Cancelled

        def begun() -> T:
            go_on()  # the page may have gone while this waited for its turn
            return work(go_on)

        async def watched() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                continue
            gone.set()

        watch = asyncio.create_task(watched())
        try:
            return await to_thread.run_sync(begun, limiter=self._threads)
        finally:
            watch.cancel()


def _furnished(image: NDArray[np.uint8], asked: Recipe) -> bytes:
    return renderer.encode_jpeg(
        room_view.render_room(image, asked.angle, asked.seed), _ROOM_QUALITY
    )


async def _lines(events: AsyncGenerator[Event]) -> AsyncIterator[bytes]:
    """Events as lines of JSON. Closing it, as a page does that goes away, ends the photograph.

    The photographer works in a task of its own: it has to say goodbye to its server, and what
    answers a page that has gone may not wait for anything any more.
    """
    lines: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def told() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    lines.put_nowait(_line(_written(event)))
        except Fault as fault:
            log.warning("photograph: %s", fault)
            lines.put_nowait(_line(fault.as_json()))

    work = asyncio.create_task(told())
    _AT_WORK.add(work)
    work.add_done_callback(_AT_WORK.discard)
    work.add_done_callback(lambda _: lines.put_nowait(None))
    try:
        while (line := await lines.get()) is not None:
            yield line
        if (error := work.exception()) is not None:
            log.error("photograph", exc_info=error)
            yield _line(Fault("server_broken", type(error).__name__).as_json())
    finally:
        work.cancel()


_AT_WORK: set[asyncio.Task[None]] = set()
"""Photographs that are being made: asyncio itself keeps no task from being collected."""


def _written(event: Event) -> Mapping[str, object]:
    if isinstance(event, Progress):
        return asdict(event)
    png = base64.b64encode(event.content).decode()
    return {"kind": event.kind, "png": png, "measured": dict(event.measured)}


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


# Faults -> answers; the page says them in its language


async def _faulty(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, Fault)
    return JSONResponse(fault.as_json(), status_code=fault.status)


async def _no_recipe(request: Request, error: Exception) -> Response:
    assert isinstance(error, RecipeError)
    return await _faulty(request, recipe_fault(error))


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _faulty(request, Fault("no_such_page", status=error.status_code))


async def _unheard(_request: Request, _error: Exception) -> Response:
    return Response(status_code=204)


async def _broken(request: Request, error: Exception) -> Response:
    return await _faulty(request, Fault("server_broken", type(error).__name__, status=500))
