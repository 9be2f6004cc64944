"""Pictures at full size on the card that is not there, and what can befall them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.engines.sdxl.memory_plan import MemoryPlan
from plitka.engines.sdxl.recovery import Recovery
from plitka.request.plan import Plan, make_plan
from plitka.request.recipe import Recipe
from tests.support.fake_card import FakeCard
from tests.support.recipes import parse

GIB = 2**30
LARGE = 80 * GIB
"""Bytes of a card on which every memory plan has room."""

SLACK = 0.5 * GIB
"""Bytes that must be left for what is not here: the context's growth, workspaces, fragmentation."""

STAGES = ("text_encoder_2", "vae.encoder", "controlnet", "unet", "vae.decoder")
"""Networks in the order in which a picture at 45 degrees needs them."""

LONG_PROMPT = ", ".join(["dull rubber"] * 30)
"""Of several chunks."""

_STEPS = 4  # of the schedule, two of which an init image leaves


class Cancelled(BaseException):
    """As Cog's CancellationException."""


def cancel() -> None:
    raise Cancelled


def run_out(card: FakeCard, times: int = 1) -> Callable[[], None]:
    """Have the card run out of memory at the first calls of what is returned."""
    left = [None] * times

    def take() -> None:
        if left:
            left.pop()
            torch.empty(card.total, dtype=torch.uint8, device="cuda:0")

    return take


@contextmanager
def before(engine: Any, stage: str, act: Callable[[], None]) -> Iterator[None]:
    """Have something happen before a network works."""
    if stage in ("unet", "controlnet"):  # whose blocks are called, and not they themselves
        stage += ".conv_in"
    name, _, rest = stage.partition(".")
    owner = engine.controlnets.loaded["softedge"] if name == "controlnet" else None
    network = (owner or getattr(engine.pipe, name)).get_submodule(rest)

    def hook(*_: object) -> None:  # what it returned would be taken as the network's input
        act()

    handle = network.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@dataclass(frozen=True)
class Watched:
    """One picture. peak: bytes on the card at the most. in_loop: waits and copies of its steps."""

    drawn: Drawn
    peak: int
    in_loop: tuple[str, ...]


class Artist:
    """Draws with one engine on one card. Guides are painted once for each size and kind."""

    def __init__(self, engine: Any, card: FakeCard) -> None:
        self.engine = engine
        self.card = card
        self._guides: dict[tuple[object, ...], Guides] = {}

    def draw(
        self, angle: float, size: int = 512, quality: str = "preview", **overrides: object
    ) -> Watched:
        """Draw one picture in few steps, and watch the card meanwhile."""
        plan = make_plan(_ask(angle, quality, overrides), presets=self.engine.presets)
        request = self._request(plan, size)
        self.card.forget()
        begun: list[tuple[int, int]] = []
        ended: list[tuple[int, int]] = []

        def count() -> tuple[int, int]:
            return len(self.card.waits), len(self.card.copies)

        def begin(*_: object) -> None:
            begun.append(count())

        with ExitStack() as stack:
            for stop in self._listen(begin):
                stack.callback(stop)
            drawn = self.engine.draw(request, lambda: ended.append(count()))
        (waits, copies), (last_waits, last_copies) = begun[0], ended[-1]
        lines = (
            *self.card.waits[waits:last_waits],
            *(f"{kind} {line}" for kind, _, line in self.card.copies[copies:last_copies]),
        )
        return Watched(drawn, self.card.peak, lines)

    def settle(self, plan: MemoryPlan) -> int:
        """Draw once under a plan on a large card. Return the bytes that stay on the card."""
        self.card.total = LARGE
        self.engine.memory.plan, self.engine.memory.recovery = plan, Recovery()
        self.engine.controlnets.evict(keep="softedge")
        self.draw(45)
        return self.card.allocated

    def fill(self, plan: MemoryPlan, controlled: bool = True) -> int:
        """Leave the card no more than a picture asks for under a plan. Return those bytes.

        Turbo's own weights are among them, while it has them.
        """
        asked: int = self.engine.memory.needs.of_picture(plan, controlled)
        asked += self.engine.memory.needs.turbo if self.engine.turbo.is_fused else 0
        self.card.total = asked
        return asked

    def _listen(self, begin: Callable[..., None]) -> list[Callable[[], None]]:
        """Have `begin` called before UNet and ControlNets work. Returns what ends that.

        Nothing here refers to the networks while a picture is drawn, for some may have to go.
        """
        networks = (self.engine.pipe.unet, *self.engine.controlnets.loaded.values())
        stops = [network.conv_in.register_forward_pre_hook(begin).remove for network in networks]
        graphs = self.engine.faster.graphs
        if graphs is not None:  # whose replays call no module
            run = graphs.run

            def begin_and_run(*call: Any, **more: Any) -> Any:
                begin()
                return run(*call, **more)

            graphs.run = begin_and_run
            stops.append(lambda: delattr(graphs, "run"))
        return stops

    def _request(self, plan: Plan, size: int) -> DrawRequest:
        layout = self.engine.lay(plan.recipe)
        key = (plan.strength is None, plan.control.kind, size)
        if key not in self._guides:
            self._guides[key] = self.engine.make_guides(plan, layout, size)
        return DrawRequest(plan, layout, size, _STEPS, self._guides[key])


def _ask(angle: float, quality: str, overrides: dict[str, object]) -> Recipe:
    body = {
        "colors": [{"name": "red", "proportion": 100}],
        "angle": angle,
        "seed": 7,
        "quality": quality,
        "overrides": overrides,
    }
    return parse(json.dumps(body))
