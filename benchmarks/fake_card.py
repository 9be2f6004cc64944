"""The sdxl engine at full size on a CUDA card that is not there: memory, waits, copies, failures.

    python -m benchmarks.fake_card [--plan PLAN] [--failures]

Draws with each memory plan on the smallest card that it is chosen for, both sizes, at 0, 45 and 90
degrees, with every preset, turbo guided and not, and a prompt of several chunks; captures CUDA
graphs where a plan has them, and draws with these; with --failures also cancels pictures, and lets
memory run out, in each stage. Nothing is calculated (tests/support/fake_card.py says what is
simulated and what is not). All of it takes some five minutes of one core. Ends with status 1 where
something is not as it should be.
"""

import argparse
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

from plitka.engines.sdxl import capture, options
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan
from plitka.errors import EngineError
from plitka.request.plan import DRAWN_SIZES
from plitka.request.recipe import QUALITIES, Quality
from plitka.runtime.timing import Stages
from tests.support.card_pictures import (
    GIB,
    LARGE,
    LONG_PROMPT,
    SLACK,
    STAGES,
    Artist,
    Cancelled,
    Watched,
    before,
    cancel,
    run_out,
)
from tests.support.fake_card import FakeCard
from tests.support.settings import load_engine
from tests.support.sparse_sdxl import write_sparse_sdxl
from tests.support.torch_internals import find_obstacle

_ANGLES = (0, 45, 90)  # no ControlNet, soft edges, canny

_KINDS: tuple[tuple[Quality, dict[str, object]], ...] = (
    *((quality, {}) for quality in QUALITIES),
    ("turbo", {"guidance_scale": 1}),  # as with a LoRA that does not preserve guidance
)
"""Qualities, and what is overridden."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plan", choices=tuple(PLANS), help="this memory plan alone")
    parser.add_argument("--failures", action="store_true", help="cancel and run out of memory, too")
    options = parser.parse_args()
    obstacle = find_obstacle()
    if obstacle is not None:
        sys.exit(f"no card can be simulated: {obstacle}")
    plans: tuple[MemoryPlan, ...] = tuple(PLANS) if options.plan is None else (options.plan,)
    failures = [_fail_everywhere] if options.failures else []
    faults = [
        *_try(plans, _draw_everything, _draw_with_graphs, *failures),
        *_try(plans, _draw_upcast, upcasts=True),
    ]
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


def _try(
    plans: Sequence[MemoryPlan],
    *trials: Callable[[Artist, MemoryPlan], Iterator[str]],
    upcasts: bool = False,
) -> list[str]:
    """Load an engine, and try each plan. Prints the table and the faults, and returns these."""
    faults = []
    with tempfile.TemporaryDirectory(prefix="plitka-fake-card-") as folder:
        files = write_sparse_sdxl(Path(folder), upcasts)
        # Another thread would be without the card.
        os.environ.update({**files.environment(), options.OVERLAP: "0"})
        with FakeCard(LARGE / GIB) as card:
            artist = Artist(load_engine("sdxl", dtype=None), card)
            print(f"loaded: {card.peak / GIB:.2f} GiB at the most, {card.allocated / GIB:.2f} left")
            artist.engine.turbo.give_up_weights()  # the smallest cards have no room for them
            artist.engine.memory.doubt_places()  # the LoRA is put in its place by the next picture
            gc.collect()
            gc.freeze()  # so that searches for cycles take no time
            print("| plan | asked, GiB | simulated peak | slack |\n|---|---:|---:|---:|")
            for plan in plans:
                for trial in trials:
                    for fault in trial(artist, plan):
                        faults.append(fault)
                        print(f"FAULT: {fault}", flush=True)
    return faults


def _draw_everything(artist: Artist, plan: MemoryPlan) -> Iterator[str]:
    """Draw with all that differs on a card, at the plan's edge. Yields faults; prints its lines."""
    _settle(artist, plan)
    peaks: dict[bool, int] = {True: 0, False: 0}  # by whether the ControlNet counts
    for angle, (quality, over), size in product(_ANGLES, _KINDS, DRAWN_SIZES):
        # A network that only visits takes no room from pictures that do without it.
        controlled = angle != 0 or plan != "offload"
        if quality == "high":
            over = {"negative_prompt": f"{plan}, {LONG_PROMPT}"}
        asked = artist.fill(plan, controlled)
        picture = artist.draw(angle, size, quality, **over)
        peaks[controlled] = max(peaks[controlled], picture.peak)
        for fault in _find_faults(picture, plan, asked):
            yield f"{plan}, {quality} {over}, {angle} degrees, {size} pixels: {fault}"
        if picture.drawn.metrics["memory_plan"] != plan:
            _settle(artist, plan)
    for controlled, peak in peaks.items():
        if peak:
            yield from _tell_peak(artist, plan, peak, controlled)


def _find_faults(picture: Watched, plan: MemoryPlan, asked: int) -> Iterator[str]:
    """Yield what is wrong with a picture that was drawn with `asked` bytes."""
    if picture.drawn.metrics["memory_plan"] != plan:
        yield f"{asked / GIB:.2f} GiB were not enough"
    elif picture.in_loop:
        yield f"steps wait or copy: {sorted(set(picture.in_loop))}"


def _draw_with_graphs(artist: Artist, plan: MemoryPlan) -> Iterator[str]:
    """Capture CUDA graphs at the plan's edge, and draw with them. Yields faults; prints its line.

    What the steps of all presets take for good is counted: their places, and their common pool.
    """
    if plan not in capture.PLANS:
        return
    held, engine, card = _settle(artist, plan), artist.engine, artist.card
    needed = engine.memory.needs
    promised = needed.graphs
    card.total = asked = held + needed.of_work(plan) + promised  # or none would be captured
    card.forget()
    captured = card.graphs.captured
    engine.capture_graphs(Stages())
    captured = card.graphs.captured - captured
    gc.collect()
    taken = card.allocated - held
    print(f"| {captured} graphs, {plan} | {_tell_slack(promised, taken)} |", flush=True)
    if not captured or promised - taken < SLACK:
        yield f"{plan}: {captured} graphs take {taken / GIB:.2f} GiB"
    for angle, (quality, over), size in product((0, 45), _KINDS, DRAWN_SIZES):
        card.total = asked
        picture = artist.draw(angle, size, quality, negative_prompt="flat", **over)
        what = f"{plan}, graphs, {quality} {over}, {angle} degrees, {size} pixels"
        for fault in _find_faults(picture, plan, asked):
            yield f"{what}: {fault}"
        told = picture.drawn.metrics
        if told["graph_replays"] != picture.drawn.steps + told["controlnet_steps"]:
            yield f"{what}: {told['graph_replays']} replays"
    engine.faster.graphs = None


def _draw_upcast(artist: Artist, plan: MemoryPlan) -> Iterator[str]:
    """Draw with SDXL's own VAE, which works in float32. Yields faults; prints its line."""
    artist.settle(plan)
    artist.fill(plan)
    picture = artist.draw(45, DRAWN_SIZES[-1])
    yield from _tell_peak(artist, plan, picture.peak, controlled=True, note=", VAE in float32")
    if picture.drawn.metrics["memory_plan"] != plan:
        yield f"{plan}: not enough for a VAE in float32"


def _tell_peak(
    artist: Artist, plan: MemoryPlan, peak: int, controlled: bool, note: str = ""
) -> Iterator[str]:
    """Print a line of the table. Yields a fault where too little is left."""
    asked = artist.engine.memory.needs.of_picture(plan, controlled)
    network = "" if controlled else ", no ControlNet"
    print(f"| {plan}{network}{note} | {_tell_slack(asked, peak)} |", flush=True)
    if asked - peak < SLACK:
        yield f"{plan}{network}{note}: too little slack"


def _tell_slack(asked: int, taken: int) -> str:
    return " | ".join(f"{value / GIB:.2f}" for value in (asked, taken, asked - taken))


def _fail_everywhere(artist: Artist, plan: MemoryPlan) -> Iterator[str]:
    """Cancel, and run out of memory, in each stage. Yields faults."""
    engine, card = artist.engine, artist.card
    for stage in STAGES:
        held = _settle(artist, plan)
        artist.fill(plan)
        with before(engine, stage, cancel):
            try:
                artist.draw(45, negative_prompt=f"{plan} {stage} cancelled")
                yield f"{plan}, {stage}: never got there"
            except Cancelled:
                pass
        yield from _find_rest(artist, held, f"{plan}, cancelled before {stage}")
        if artist.draw(45).drawn.metrics["memory_plan"] != plan:
            yield f"{plan}, cancelled before {stage}: the next picture took another plan"
            _settle(artist, plan)
        yield from _find_rest(artist, held, f"{plan}, cancelled before {stage}, and drawn again")
        with before(engine, stage, run_out(card)):
            try:
                artist.draw(45, negative_prompt=f"{plan} {stage} out of memory")
                if plan == "offload":
                    yield f"{plan}, {stage}: never got there"
            except EngineError as error:
                if plan != "offload":
                    yield f"{plan}, out of memory before {stage}: {error}"
        yield from _find_rest(artist, held, f"{plan}, out of memory before {stage}")


def _find_rest(artist: Artist, held: int, what: str) -> Iterator[str]:
    """Yield what is wrong with the engine and its memory after a picture."""
    try:
        artist.engine.health_check()
    except EngineError as error:
        yield f"{what}: {error}"
    gc.collect()
    if artist.card.allocated > held:
        yield f"{what}: {(artist.card.allocated - held) / 2**20:.1f} MiB stay"


def _settle(artist: Artist, plan: MemoryPlan) -> int:
    held = artist.settle(plan)
    gc.collect()
    return min(held, artist.card.allocated)


if __name__ == "__main__":
    main()
