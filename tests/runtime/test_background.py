"""Drawing in the background: the same pictures, and no thread that outlives its run."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from plitka import pipeline
from plitka.engines.base import Drawn, DrawRequest
from plitka.engines.procedural import RenderEngine
from plitka.errors import EngineError
from plitka.request.plan import PICTURE_SIZES
from plitka.request.recipe import Overrides
from plitka.runtime.background import BackgroundWorker, Cancelled, start_thread
from tests.conftest import LoadSdxl
from tests.support.recipes import asked

TILE = replace(
    asked({"red": 60, "white": 40}, 45),
    overrides=Overrides(num_inference_steps_preview=2, num_inference_steps_final=2),
)


class Slow(RenderEngine):
    """A render engine whose final picture takes steps until it is told to end."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.began, self.end = threading.Event(), threading.Event()
        self.fault = fault
        self.at_work = 0

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        self.at_work += 1
        try:
            if request.size == PICTURE_SIZES["final"]:
                self.began.set()
                if self.fault is not None:
                    raise self.fault
                while not self.end.wait(0.01):
                    at_step()
            return super().draw(request)
        finally:
            self.at_work -= 1


def pictures(engine: Any, overlap: bool) -> list[Any]:
    return list(pipeline.make(TILE, engine, overlap))


def test_the_render_engine_gives_the_same_pictures_and_records_with_and_without() -> None:
    for ahead, after in zip(
        pictures(RenderEngine(), True), pictures(RenderEngine(), False), strict=True
    ):
        assert np.array_equal(ahead.image, after.image)
        assert ahead.record == after.record


@pytest.mark.long
def test_sdxl_gives_the_same_pictures_with_and_without(load_sdxl: LoadSdxl) -> None:
    engine = load_sdxl()
    for ahead, after in zip(pictures(engine, True), pictures(engine, False), strict=True):
        assert np.array_equal(ahead.image, after.image)
        assert ahead.record == after.record


def test_the_final_picture_is_begun_while_the_preview_is_handed_out() -> None:
    engine = Slow()
    run = pipeline.make(TILE, engine, overlap=True)
    assert next(run).kind == "preview"
    assert engine.began.wait(10)
    engine.end.set()
    assert [picture.kind for picture in run] == ["final", "colormap"]


def test_switched_off_nothing_is_begun_before_it_is_asked_for() -> None:
    engine = Slow()
    run = pipeline.make(TILE, engine, overlap=False)
    assert next(run).kind == "preview"
    assert not engine.began.is_set()


def test_a_run_that_is_closed_after_the_preview_ends_its_work_at_once() -> None:
    engine = Slow()
    run = pipeline.make(TILE, engine, overlap=True)
    next(run)
    engine.began.wait(10)
    run.close()
    assert not engine.at_work


def test_a_fault_of_the_final_picture_comes_after_the_preview() -> None:
    engine = Slow(fault=EngineError("the card fell out"))
    run = pipeline.make(TILE, engine, overlap=True)
    assert next(run).kind == "preview"
    with pytest.raises(EngineError, match="the card fell out"):
        next(run)
    assert not engine.at_work


def threads() -> set[int | None]:
    return {thread.ident for thread in threading.enumerate()}


def test_no_thread_is_started_while_pictures_are_made(load_sdxl: LoadSdxl) -> None:
    """An exception that cancels could reach a thread that is just starting, and all would hang."""
    engine = load_sdxl()
    start_thread()
    before = threads()
    for _ in pipeline.make(TILE, engine, overlap=True):
        assert threads() == before
    assert threads() == before


def test_work_is_done_in_order_and_its_exceptions_are_passed_on() -> None:
    done: list[int] = []
    with BackgroundWorker(on=True) as worker:
        futures = [worker.submit(partial(done.append, n)) for n in range(5)]
        futures[-1].result()
        failing = worker.submit(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            failing.result()
        with pytest.raises(TimeoutError, match="its own"):
            worker.submit(lambda: _raise(TimeoutError("its own"))).result()
    assert done == [0, 1, 2, 3, 4]
    with pytest.raises(Cancelled):
        worker.check_cancelled()


def _raise(error: Exception) -> None:
    raise error


CANCELLED_AGAIN_AND_AGAIN = """
import signal, sys
from plitka.runtime.background import BackgroundWorker, start_thread

class Cancelled(Exception): ...

def cancel(*_):
    global armed
    if armed:
        armed = False
        raise Cancelled

def predictions():
    while True:
        with BackgroundWorker(on=True) as worker:
            worker.submit(lambda: sum(range(999))).result()

start_thread()
sys.setswitchinterval(1e-5)
armed = False
signal.signal(signal.SIGALRM, cancel)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for _ in range(5000):
    try:
        armed = True
        predictions()
    except Cancelled:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_work_can_be_cancelled_at_any_moment() -> None:
    """What cancels may come while a lock is just being taken, and must not leave it taken."""
    done = subprocess.run(
        [sys.executable, "-c", CANCELLED_AGAIN_AND_AGAIN],
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
