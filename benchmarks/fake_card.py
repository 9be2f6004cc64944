"""The sdxl engine at full size on a CUDA card that is not there: memory, waits, copies, failures.

    python -m benchmarks.fake_card [--plan PLAN] [--failures]

Draws with each memory plan on the smallest card that it is chosen for, both sizes, at 0, 45 and 90
degrees, with every preset; with --failures also cancels pictures, and lets memory run out, in each
stage. Nothing is calculated (tests/support/fake_card.py says what is simulated and what is not),
but each plan takes minutes of one core. Ends with status 1 where something is not as it should be.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from plitka.engines.base import Drawn
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan
from plitka.errors import EngineError
from plitka.request.plan import DRAWN_SIZES, make_plan
from plitka.request.recipe import QUALITIES
from tests.support.drawing import draw
from tests.support.fake_card import FakeCard, find_obstacle
from tests.support.recipes import parse
from tests.support.settings import load_engine
from tests.support.sparse_sdxl import write_sparse_sdxl

_GIB = 2**30
_LARGE = 80.0  # GiB of the card on which the plans' needs are found out
_STAGES = ("text_encoder_2", "vae.encoder", "controlnet", "unet", "vae.decoder")


class _Cancelled(BaseException):
    """As Cog's CancellationException."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plan", choices=tuple(PLANS), help="this memory plan alone")
    parser.add_argument("--failures", action="store_true", help="cancel and run out of memory, too")
    options = parser.parse_args()
    obstacle = find_obstacle()
    if obstacle is not None:
        sys.exit(f"no card can be simulated: {obstacle}")
    plans: tuple[MemoryPlan, ...] = tuple(PLANS) if options.plan is None else (options.plan,)
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="plitka-fake-card-") as folder:
        os.environ.update(write_sparse_sdxl(Path(folder)).environment())
        with FakeCard(_LARGE) as card:
            engine: Any = load_engine("sdxl", dtype=None)
            print(
                f"loaded: {card.peak / _GIB:.2f} GiB at the most, {card.allocated / _GIB:.2f} left"
            )
            for plan in plans:
                faults += _try_plan(engine, card, plan)
                if options.failures:
                    faults += _fail_everywhere(engine, card, plan)
    for fault in faults:
        print(fault)
    sys.exit(1 if faults else 0)


def _try_plan(engine: Any, card: FakeCard, plan: MemoryPlan) -> Iterator[str]:
    """Draw with everything that differs on the card. Yields faults."""
    _settle(engine, card, plan)
    asked = engine._needs.of_picture(plan, controlled=True)
    card.total = asked
    most = 0
    for quality in QUALITIES:
        for angle in (0, 45, 90):
            for size in DRAWN_SIZES:
                card.forget()
                steps: list[tuple[int, int]] = []

                def note(steps: list[tuple[int, int]] = steps) -> None:
                    steps.append((len(card.waits), len(card.copies)))

                what = f"{plan}, {quality}, {angle} degrees, {size} pixels"
                over = {"negative_prompt": "dull, " * 60} if quality == "high" else {}
                picture = _draw(engine, angle, size, quality, note, **over)
                most = max(most, card.peak)
                print(f"{what}: {card.peak / _GIB:.2f} GiB", flush=True)
                if picture.metrics["memory_plan"] != plan:
                    yield f"{what}: {asked / _GIB:.2f} GiB were not enough"
                    _settle(engine, card, plan)
                    card.total = asked
                if len(set(steps)) > 1:
                    yield f"{what}: steps wait or copy: {card.waits} {card.copies}"
    print(f"{plan}: {asked / _GIB:.2f} GiB asked, {most / _GIB:.2f} taken at the most", flush=True)


def _fail_everywhere(engine: Any, card: FakeCard, plan: MemoryPlan) -> Iterator[str]:
    """Cancel, and run out of memory, in each stage. Yields faults."""
    for stage in _STAGES:
        _settle(engine, card, plan)
        held = card.allocated
        with _before(engine, stage, _cancel):
            try:
                _draw(engine, 45, negative_prompt=f"{plan} {stage} cancelled")
                yield f"{plan}, {stage}: never got there"
            except _Cancelled:
                pass
        if card.allocated != held:
            yield f"{plan}, cancelled before {stage}: {(card.allocated - held) / _GIB:.2f} GiB stay"
        with _before(engine, stage, _run_out(card)):
            try:
                _draw(engine, 45, negative_prompt=f"{plan} {stage} out of memory")
            except EngineError as error:
                if plan != "offload":
                    yield f"{plan}, out of memory before {stage}: {error}"
        if card.allocated > held:
            yield f"{plan}, out of memory before {stage}: {card.allocated - held} bytes stay"
        engine.health_check()
        print(f"{plan}: failed before {stage}, and well again", flush=True)


def _settle(engine: Any, card: FakeCard, plan: MemoryPlan) -> None:
    card.total = int(_LARGE * _GIB)
    engine.memory_plan = plan
    _draw(engine, 45)
    engine.controlnets.evict(keep="softedge")


def _draw(
    engine: Any,
    angle: float,
    size: int = 512,
    quality: str = "preview",
    at_step: Callable[[], None] = lambda: None,
    **over: object,
) -> Drawn:
    """Draw one picture in few steps."""
    body = {
        "colors": [{"name": "red", "proportion": 100}],
        "angle": angle,
        "seed": 7,
        "quality": quality,
        "overrides": over,
    }
    return draw(engine, make_plan(parse(json.dumps(body))), size, 4, at_step=at_step)


@contextmanager
def _before(engine: Any, stage: str, act: Callable[[], None]) -> Iterator[None]:
    """Have something happen before a network works."""
    if stage in ("unet", "controlnet"):  # whose blocks are called, and not they themselves
        stage += ".conv_in"
    name, _, rest = stage.partition(".")
    owner = engine.controlnets.loaded["softedge"] if name == "controlnet" else None
    network = (owner or getattr(engine.pipe, name)).get_submodule(rest)

    def hook(*_: object) -> None:
        act()

    handle = network.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _cancel() -> None:
    raise _Cancelled


def _run_out(card: FakeCard) -> Callable[[], None]:
    """Have the card run out of memory once."""
    left = [None]

    def take() -> None:
        if left:
            left.pop()
            torch.empty(card.total, dtype=torch.uint8, device="cuda:0")

    return take


if __name__ == "__main__":
    main()
