"""The designer's web server: the page, and the pictures of the recipe in each request.

It keeps no sessions: each request brings its recipe along, so two people at one server never see
each other's tiles. Only layouts and lighting of the last few seeds and angles are cached.
"""

import asyncio
import base64
import json
import logging
import re
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from anyio import CapacityLimiter, create_memory_object_stream, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from plitka import __version__
from plitka.color import words
from plitka.color.mix import MAX_COLORS
from plitka.color.palette import Palette
from plitka.designer import (
    color_lists,
    gallery,
    offers,
    png_recipe,
    scene_views,
    snippets,
    textures,
)
from plitka.designer.backends.base import Backend, Event, Progress
from plitka.designer.errors import Fault, make_recipe_fault
from plitka.designer.middleware import OwnPagesOnly, read_body
from plitka.designer.offers import Defaults
from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.designer.scene_views import SceneViews
from plitka.designer.swatches import list_swatches
from plitka.ground.zones import measure_zones
from plitka.images.png import MAX_PNG_BYTES
from plitka.offer.file_name import name_mix
from plitka.offer.logo import MAX_LOGO_BYTES
from plitka.offer.reading import OfferRequest
from plitka.request import parsing
from plitka.request.plan import PICTURE_SIZES, PictureKind
from plitka.request.recipe import MAX_SEED, QUALITIES, Recipe, RecipeError, draw_seed
from plitka.request.sentence import looks_like_recipe
from plitka.runtime.background import Cancelled
from plitka.scene.scenes import SCENES, Scene

PAGE = Path(__file__).parent / "page"

_CANCEL_SECONDS = 6.0  # that backends have to cancel when the program is told to end
_THREADS = 3  # that draw at once; OpenCV spreads each picture over all processors
_TEXTURES = 1  # made at once; one of 4096 pixels takes 2.3 GB
_LINES_AHEAD = 4  # of a photograph, of up to 43 MB each, that wait for a page that reads slowly
_CACHE_FOR_A_DAY = {"Cache-Control": "max-age=86400"}
_REVALIDATE = {"Cache-Control": "no-cache"}  # asked for each time, sent when changed

log = logging.getLogger("plitka")
T = TypeVar("T")


def make_app(backend: Backend, palette: Palette, defaults: Defaults) -> ASGIApp:
    """Make the server, as an ASGI application.

    backend: makes the photographs. palette: the named colours. defaults: of offers.
    """
    handlers = _Handlers(backend, palette, defaults)
    pages = Starlette(
        routes=[
            Route("/", _send_page),
            Route("/start", handlers.send_start),
            Route("/photographer", handlers.check_photographer),
            Route("/gallery/{code}.jpg", handlers.draw_sample),
            Route("/recipe", handlers.read_recipe, methods=["POST"]),
            Route("/typed", handlers.read_typed, methods=["POST"]),
            Route("/typing", handlers.foresee_typed, methods=["POST"]),
            Route("/colors/ral", handlers.list_ral),
            Route("/colors/{digits}", handlers.describe_color),
            Route("/colors", handlers.read_colors, methods=["POST"]),
            Route("/dropped", handlers.read_dropped, methods=["POST"]),
            Route("/draft", handlers.draw_draft, methods=["POST"]),
            Route("/pictures/{kind}", handlers.draw_picture, methods=["POST"]),
            Route("/plan", handlers.draw_plan, methods=["POST"]),
            Route("/scene/{name}", handlers.draw_scene, methods=["POST"]),
            Route("/scene/{name}/small", handlers.draw_small_scene, methods=["POST"]),
            Route("/own-photo", handlers.read_own_photo, methods=["POST"]),
            Route("/own-photo/laid", handlers.lay_own_photo, methods=["POST"]),
            Route("/photograph", handlers.photograph, methods=["POST"]),
            Route("/order", handlers.describe_order, methods=["POST"]),
            Route("/order.csv", handlers.write_order, methods=["POST"]),
            Route("/offer.html", handlers.make_html_offer, methods=["POST"]),
            Route("/offer.pdf", handlers.make_pdf_offer, methods=["POST"]),
            Route("/texture", handlers.make_texture, methods=["POST"]),
            Route("/logo", handlers.make_logo, methods=["POST"]),
            Mount("/page", _PageFiles(directory=PAGE)),
        ],
        lifespan=_end_photographs,
        exception_handlers={
            Fault: _answer_fault,
            RecipeError: _answer_recipe_error,
            HTTPException: _answer_http_error,
            Cancelled: _answer_nobody,
            ClientDisconnect: _answer_nobody,
            Exception: _answer_unexpected,
        },
    )
    pages.router.redirect_slashes = False
    return OwnPagesOnly(pages)


class _PageFiles(StaticFiles):
    """The files of the page; a browser asks each time whether they have changed."""

    def file_response(self, *args: Any, **named: Any) -> Response:
        response = super().file_response(*args, **named)
        response.headers.update(_REVALIDATE)
        return response


async def _send_page(_: Request) -> Response:
    return FileResponse(PAGE / "index.html", headers=_REVALIDATE)


class _Handlers:
    """Request handlers, each for one route. A request's recipe is JSON in its body."""

    def __init__(self, backend: Backend, palette: Palette, defaults: Defaults) -> None:
        self._palette = palette
        self._defaults = defaults
        self._renderer = Renderer()
        self._scenes = SceneViews(self._renderer)
        self._backend = backend
        self._threads = CapacityLimiter(_THREADS)
        self._textures = CapacityLimiter(_TEXTURES)
        self._thumbnails: dict[str, bytes] = {}  # of the gallery, by code

    async def send_start(self, _: Request) -> Response:
        """What the page needs first: colours, samples, limits, and who makes photographs."""
        body = {
            "version": __version__,
            "swatches": [asdict(swatch) for swatch in list_swatches(self._palette)],
            "gallery": [
                {
                    "code": sample.code,
                    "recipe": snippets.write_request(sample.recipe(self._palette), self._palette),
                }
                for sample in gallery.SAMPLES
            ],
            "scenes": list(SCENES),
            "qualities": QUALITIES,
            "most": {"colors": MAX_COLORS, "seed": MAX_SEED},
            "photographer": {"kind": self._backend.kind, "title": self._backend.title},
            "offer": self._defaults.as_json(),
            "texture": textures.BOUNDS,
        }
        return JSONResponse(body)

    async def check_photographer(self, _: Request) -> Response:
        """Whether a photograph could be taken now: null, or the fault that says why not.

        Asked after the start, for which nothing waits: another machine may have to answer.
        """
        try:
            await self._backend.check()
        except Fault as fault:
            return JSONResponse(fault.as_json())
        return JSONResponse(None)

    async def draw_sample(self, request: Request) -> Response:
        """A recipe of the gallery as a JPEG thumbnail."""
        code = request.path_params["code"]
        sample = next((sample for sample in gallery.SAMPLES if sample.code == code), None)
        if sample is None:
            raise HTTPException(404)
        if code not in self._thumbnails:
            recipe = sample.recipe(self._palette)
            self._thumbnails[code] = await self._run_in_thread(
                request, lambda check: self._renderer.draw_draft(recipe, check, gallery.SIZE)
            )
        return Response(self._thumbnails[code], media_type="image/jpeg", headers=_CACHE_FOR_A_DAY)

    async def read_recipe(self, request: Request) -> Response:
        """The recipe as the page keeps it, and the texts that make the tile elsewhere."""
        return JSONResponse(self._describe(await self._parse_body(request)))

    async def read_typed(self, request: Request) -> Response:
        """What was typed or pasted: a colour by any of its names, or else a recipe in any form.

        A colour is told as the page keeps it. With both, what each word was understood as.
        """
        text = await _read_text(request)
        if said := words.look_up(text, self._palette):
            color = said.color
            name = color.code if color.is_free else color.phrase
            told = {"name": name, "hex": color.hex, "free": color.is_free}
            return JSONResponse({"color": told, "understood": [said.as_json()]})
        try:
            recipe = draw_seed(parsing.parse(text, self._palette))
        except RecipeError as error:
            is_recipe = looks_like_recipe(text, self._palette)
            raise Fault("typed_recipe" if is_recipe else "typed", error, status=422) from None
        return JSONResponse({**self._describe(recipe), "understood": recipe.understood()})

    async def foresee_typed(self, request: Request) -> Response:
        """What `read_typed` would read, while it is being typed: {kind, and what is known of it}.

        kind: "color", "recipe", "begun" for a recipe that is not complete, or "nothing".
        """
        text = await _read_text(request)
        if said := words.look_up(text, self._palette):
            return JSONResponse({"kind": "color", "hex": said.color.hex})
        try:
            colors = parsing.parse(text, self._palette).list_understood()
        except RecipeError:
            is_recipe = looks_like_recipe(text, self._palette)
            return JSONResponse({"kind": "begun" if is_recipe else "nothing"})
        return JSONResponse({"kind": "recipe", "count": len({one.color.srgb for one in colors})})

    async def list_ral(self, _: Request) -> Response:
        """RAL Classic, each colour with the palette's nearest."""
        listed = [asdict(color) for color in color_lists.list_ral(self._palette)]
        return JSONResponse(listed, headers=_REVALIDATE)

    async def describe_color(self, request: Request) -> Response:
        """A colour by the six digits of its hex: its number of RAL, and the palette's nearest."""
        digits = request.path_params["digits"]
        if not re.fullmatch("[0-9a-f]{6}", digits):
            raise HTTPException(404)
        name = color_lists.name_ral(f"#{digits}")
        return JSONResponse(asdict(color_lists.describe(name, digits, self._palette)))

    async def read_colors(self, request: Request) -> Response:
        """A company's colours from a CSV file, and what is wrong with its lines."""
        content = await read_body(request, color_lists.MAX_LIST_BYTES)
        colors, faults = color_lists.read_list(content, self._palette)
        told = {"colors": list(map(asdict, colors)), "faults": list(map(asdict, faults))}
        return JSONResponse(told)

    async def read_dropped(self, request: Request) -> Response:
        """The same for the recipe in a PNG file, or in an offer as HTML."""
        file = await read_body(request, MAX_PNG_BYTES)
        return JSONResponse(self._describe(draw_seed(png_recipe.read_dropped(file, self._palette))))

    async def draw_draft(self, request: Request) -> Response:
        """The preview at once, not measured, as JPEG."""
        recipe = await self._parse_body(request)
        jpeg = await self._run_in_thread(
            request, lambda check: self._renderer.draw_draft(recipe, check)
        )
        return Response(jpeg, media_type="image/jpeg")

    async def draw_picture(self, request: Request) -> Response:
        """A PNG file; what it shows of its colours is JSON in the header Plitka-Shares."""
        kind: PictureKind | None = next(
            (kind for kind in PICTURE_SIZES if kind == request.path_params["kind"]), None
        )
        if kind is None:
            raise HTTPException(404)
        recipe = await self._parse_body(request)
        png, shown = await self._run_in_thread(
            request, lambda check: self._renderer.make_picture(recipe, kind, check)
        )
        return Response(
            png, media_type="image/png", headers={"Plitka-Shares": json.dumps(asdict(shown))}
        )

    async def draw_plan(self, request: Request) -> Response:
        """The recipe's surface from above, as JPEG.

        The header Plitka-Zones is JSON: of the recipe's own mix and of each zone, its area in m2
        and the length in m of the line around it.
        """
        recipe = await self._parse_body(request)
        if recipe.surface is None:
            raise RecipeError('surface: missing; allowed: an object like {"width_mm": 3000}')
        jpeg = await self._run_in_thread(
            request, lambda check: self._renderer.draw_plan(recipe, check)
        )
        zones = [[round(zone.area_m2, 4), round(zone.line_m, 3)] for zone in measure_zones(recipe)]
        headers = {"Plitka-Zones": json.dumps(zones)}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    async def draw_scene(self, request: Request) -> Response:
        """A scene as JPEG, its floor laid with the tile of a recipe or of a photograph's PNG."""
        scene = _find_scene(request)
        picture = None
        if request.headers.get("content-type") == "image/png":
            png = await read_body(request, MAX_PNG_BYTES)
            recipe = draw_seed(png_recipe.read_recipe(png, self._palette))
            picture = await self._run_in_thread(request, lambda _: png_recipe.read_pixels(png))
        else:
            recipe = await self._parse_body(request)
        jpeg = await self._run_in_thread(
            request, lambda check: self._scenes.draw_scene(scene, recipe, picture, check)
        )
        return Response(jpeg, media_type="image/jpeg")

    async def draw_small_scene(self, request: Request) -> Response:
        """A scene as a small JPEG, its floor in the mean colour of a recipe's mix."""
        scene, recipe = _find_scene(request), await self._parse_body(request)
        jpeg = await self._run_in_thread(
            request, lambda _: scene_views.draw_thumbnail(scene, recipe)
        )
        return Response(jpeg, media_type="image/jpeg")

    async def read_own_photo(self, request: Request) -> Response:
        """One's own photo of any format as JPEG: upright, sRGB, not too large, without its EXIF."""
        content = await read_body(request, scene_views.MAX_PHOTO_BYTES)
        jpeg = await self._run_in_thread(request, lambda _: scene_views.prepare_photo(content))
        return Response(jpeg, media_type="image/jpeg")

    async def lay_own_photo(self, request: Request) -> Response:
        """One's own photo with a floor laid into it, as JPEG.

        The body is a line of JSON, which says what is laid where, and the photo.
        """
        most = scene_views.MAX_PHOTO_BYTES + scene_views.MAX_ASKED_BYTES
        line, _, content = (await read_body(request, most)).partition(b"\n")
        if len(line) > scene_views.MAX_ASKED_BYTES:
            raise Fault("own_broken", "no line of JSON", status=422)
        asked = scene_views.parse_own_photo(line.decode("utf-8", "replace"), self._palette)
        jpeg = await self._run_in_thread(
            request, lambda check: self._scenes.lay_photo(asked, content, check)
        )
        return Response(jpeg, media_type="image/jpeg")

    async def photograph(self, request: Request) -> Response:
        """Progress and pictures as they come, a JSON object on each line."""
        recipe = await self._parse_body(request)
        lines = _stream_lines(self._backend.photograph(recipe))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def make_texture(self, request: Request) -> Response:
        """A seamless texture with its maps, as a zip file that comes as it is made."""
        order = textures.parse_order(await _read_text(request), self._palette)
        stream = textures.stream_texture(order, self._textures)
        headers = textures.write_headers(order)
        return StreamingResponse(stream, media_type="application/zip", headers=headers)

    async def describe_order(self, request: Request) -> Response:
        """What the floor of an offer needs: kilograms and bags."""
        return JSONResponse(offers.describe_order(await self._parse_offer(request)))

    async def write_order(self, request: Request) -> Response:
        """The same as a table for spreadsheets."""
        asked = await self._parse_offer(request)
        return _send_file(offers.write_csv(asked), asked.recipe, "csv")

    async def make_html_offer(self, request: Request) -> Response:
        """An offer as one HTML file."""
        return await self._make_offer(request, "html")

    async def make_pdf_offer(self, request: Request) -> Response:
        """An offer as PDF."""
        return await self._make_offer(request, "pdf")

    async def _make_offer(self, request: Request, kind: offers.Kind) -> Response:
        asked = await self._parse_offer(request)
        content = await self._run_in_thread(
            request, lambda check: offers.make_file(asked, kind, self._renderer, check)
        )
        return _send_file(content, asked.recipe, kind)

    async def make_logo(self, request: Request) -> Response:
        """A picture, made a logo that the page may keep."""
        content = await read_body(request, MAX_LOGO_BYTES)
        return JSONResponse(await self._run_in_thread(request, lambda _: offers.make_logo(content)))

    async def _parse_offer(self, request: Request) -> OfferRequest:
        """Parse the request for an offer in a body. Raises RecipeError and Fault."""
        body = await read_body(request, offers.MAX_REQUEST_BYTES)
        return offers.parse_request(body.decode("utf-8", "replace"), self._palette, self._defaults)

    async def _parse_body(self, request: Request) -> Recipe:
        """Parse the recipe in a request's body, and draw its seed. Raises RecipeError and Fault."""
        return draw_seed(parsing.parse(await _read_text(request), self._palette))

    def _describe(self, recipe: Recipe) -> dict[str, Any]:
        """Write a recipe whose seed is drawn as a request, and as texts that make it elsewhere.

        With what the names of its files begin with.
        """
        return {
            "name": name_mix(recipe),
            "recipe": snippets.write_request(recipe, self._palette),
            "texts": snippets.write_snippets(recipe, self._palette),
        }

    async def _run_in_thread(self, request: Request, work: Callable[[CheckCancelled], T]) -> T:
        """Run `work` in a thread and return its result; raises Cancelled if the page goes away.

        work: calls its argument between two steps, which raises Cancelled to end it.
        """
        disconnected = threading.Event()

        def check_cancelled() -> None:
            if disconnected.is_set():
                raise Cancelled

        def run() -> T:
            check_cancelled()  # the page may have gone while this waited for its turn
            return work(check_cancelled)

        async def watch_connection() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                continue
            disconnected.set()

        watch = asyncio.create_task(watch_connection())
        try:
            return await to_thread.run_sync(run, limiter=self._threads)
        finally:
            watch.cancel()


async def _read_text(request: Request) -> str:
    """Read a request's body as text. Raises Fault."""
    return (await read_body(request, 2 * parsing.MAX_BYTES)).decode("utf-8", "replace")


def _send_file(content: bytes, recipe: Recipe, kind: str) -> Response:
    """Send a file to save, named by its mix; it is never shown as a page of this server."""
    named = {"Content-Disposition": offers.write_disposition(recipe, kind)}
    return Response(content, media_type=offers.MEDIA_TYPES[kind], headers=named)


def _find_scene(request: Request) -> Scene:
    """Find the scene that a request names. Raises HTTPException."""
    scene = SCENES.get(request.path_params["name"])
    if scene is None:
        raise HTTPException(404)
    return scene


async def _stream_lines(events: AsyncGenerator[Event]) -> AsyncIterator[bytes]:
    """Write events as lines of JSON. Closing it, as when the page goes away, ends the photograph.

    The backend works in a task of its own: it has to tell its server that it cancels, and the
    response to a page that has gone may not wait for anything any more.
    """
    told, lines = create_memory_object_stream[bytes](_LINES_AHEAD)

    async def write_events() -> None:
        async with told:
            try:
                async with aclosing(events):
                    async for event in events:
                        await told.send(_encode_line(_event_as_json(event)))
            except Fault as fault:
                log.warning("photograph: %s", " ".join(str(fault).split()))
                await told.send(_encode_line(fault.as_json()))

    task = asyncio.create_task(write_events())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
    try:
        async with lines:
            async for line in lines:
                yield line
        await asyncio.wait([task])
        if (error := task.exception()) is not None:
            log.error("photograph", exc_info=error)
            yield _encode_line(Fault("server_broken", type(error).__name__).as_json())
    finally:
        task.cancel()


_TASKS: set[asyncio.Task[None]] = set()
"""Photographs under way: asyncio itself holds only weak references to tasks."""


@asynccontextmanager
async def _end_photographs(_: Starlette) -> AsyncGenerator[None]:
    """At the end of the server: let photographs under way be cancelled where they are made."""
    yield
    for task in _TASKS:
        task.cancel()
    if _TASKS:
        await asyncio.wait(_TASKS, timeout=_CANCEL_SECONDS)


def _event_as_json(event: Event) -> Mapping[str, object]:
    if isinstance(event, Progress):
        return asdict(event)
    png = base64.b64encode(event.content).decode()
    return {"kind": event.kind, "png": png, "shown": asdict(event.shown)}


def _encode_line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"


# Exceptions -> responses; the page says them in its language


async def _answer_fault(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, Fault)
    return JSONResponse(fault.as_json(), status_code=fault.status)


async def _answer_recipe_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RecipeError)
    return await _answer_fault(request, make_recipe_fault(error))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = await _answer_fault(request, Fault("no_such_page", status=error.status_code))
    response.headers.update(error.headers or {})  # Allow, of a method that is not
    return response


async def _answer_nobody(_request: Request, _error: Exception) -> Response:
    """The page has gone, so that nobody reads this."""
    return Response(status_code=204)


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    fault = Fault("server_broken", type(error).__name__, status=500)
    return await _answer_fault(request, fault)
