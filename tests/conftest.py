"""Fixtures that several test files share."""

import signal
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import pytest

from plitka.images import png
from plitka.tile import render
from plitka.tile.layout import lay
from tests.support.recipes import asked
from tests.support.server import CogServer, cog_server
from tests.support.settings import load_engine

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from plitka.engines.sdxl.engine import SdxlEngine
    from plitka.engines.sdxl.options import Options
    from tests.support.designer import Designer, Hand
    from tests.support.small_sdxl import SmallSdxl

StartServer = Callable[..., CogServer]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    """One server with the render engine for all tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("server")
    with cog_server(folder, {"PLITKA_ENGINE": "render"}) as running:
        health = running.health()
        assert health["status"] == "READY", health["setup"]["logs"]
        yield running


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start a server for one test: `start_server(PLITKA_ENGINE="render")`, whatever its health."""
    with ExitStack() as stack:

        def start(**env: str) -> CogServer:
            folder = tmp_path_factory.mktemp("server")
            return stack.enter_context(cog_server(folder, env))

        yield start


@pytest.fixture(scope="session")
def small_sdxl(tmp_path_factory: pytest.TempPathFactory) -> "SmallSdxl":
    """The files of a small SDXL; nobody changes them."""
    from tests.support import small_sdxl  # torch comes with it, and most tests do without

    return small_sdxl.save(tmp_path_factory.mktemp("sdxl"))


LoadSdxl = Callable[..., "SdxlEngine"]


@pytest.fixture
def load_sdxl(small_sdxl: "SmallSdxl", monkeypatch: pytest.MonkeyPatch) -> LoadSdxl:
    """Load the small SDXL by its settings: `load_sdxl(LORA=path)`, `load_sdxl(weights=path)`.

    options: in place of the environment's. dtype: the same on every processor, None for its own.
    """

    def load(
        weights: Path | None = None,
        options: "Options | None" = None,
        dtype: str | None = "float32",
        **changed: str | Path,
    ) -> "SdxlEngine":
        for name, value in small_sdxl.settings(**changed).items():
            monkeypatch.setenv(name, value)
        given = {} if options is None else {"options": options}
        loaded = load_engine("sdxl", weights, dtype=dtype, **given)
        return cast("SdxlEngine", loaded)

    return load


@pytest.fixture(scope="session")
def red_and_blue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 60% red and 40% blue."""
    file = tmp_path_factory.mktemp("tile") / "tile.png"
    png.save(render.render_picture(lay(asked({"red": 60, "blue": 40}, 20)), 768), file, {})
    return file


@pytest.fixture
def threads() -> Iterator[None]:
    """Put OpenCV's number of threads back after a test that changes it."""
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def pytest_configure() -> None:
    """Let programs that tests start be interrupted, which a shell keeps from its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


# Files that take longest, in turn of those that compute and those that wait for servers: begun
# first, none of them is left at the end for one process alone.
LONGEST = (
    *("documents/test_documents.py", "training/test_whole_way.py"),
    *("serving/test_gateway_faults.py", "serving/test_faults.py"),
    *("designer/test_page.py", "serving/test_gateway.py", "training/test_sdxl_training.py"),
    *("matching/test_match.py", "serving/test_gateway_webhooks.py", "bench/test_bench.py"),
    *("training/test_sdxl_loop.py", "serving/test_training_gate.py", "engines/test_sdxl.py"),
    *("engines/test_sdxl_lora_config.py", "catalogue/test_catalogue.py", "cli/test_audit.py"),
    *("serving/test_gateway_answers.py", "engines/test_sdxl_lora_methods.py"),
    *("engines/test_sdxl_lora.py", "designer/test_strangers.py", "cli/test_calibrate.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {Path(__file__).parent / file: rank for rank, file in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows the last lines of the log of its server."""
    report = yield
    running = item.funcargs.get("server")
    if report.failed and isinstance(running, CogServer):
        lines = running.log.read_text(encoding="utf-8", errors="replace").splitlines()
        report.sections.append((f"Cog's server ({running.log})", "\n".join(lines[-30:])))
    return report


# The designer in a browser


@pytest.fixture(scope="module")  # while it runs, no test can have an event loop of its own
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    from tests.support.designer import chromium

    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to run as root, as containers do; the pages are ours.
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def designing(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Designer]":
    """One designer for all tests: it remembers nothing of any of them."""
    from tests.support.designer import designer

    absent = {f"PLITKA_{name}": "/absent" for name in ("BASE", "LORA", "EMBEDDINGS")}
    with designer(tmp_path_factory.mktemp("designer"), absent) as running:
        yield running


OpenHand = Callable[..., "Hand"]


@pytest.fixture
def new_hand(browser: "Browser", designing: "Designer") -> "Iterator[OpenHand]":
    """A page of its own for somebody: `new_hand(locale="ru", viewport=…)`.

    At the end no page has asked anybody but its server, and none has had an error of its own.
    """
    from tests.support.designer import Hand

    asked: list[str] = []
    faults: list[str] = []
    served = {designing.url}
    contexts = []

    def open_hand(at: "Designer" = designing, **settings: Any) -> Hand:
        served.add(at.url)
        context = browser.new_context(**{"locale": "en", **settings})
        contexts.append(context)
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        return Hand(page, at)

    yield open_hand
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((*served, "blob:"))] == []
    assert faults == []


@pytest.fixture
def hand(new_hand: "OpenHand") -> "Hand":
    return new_hand()
