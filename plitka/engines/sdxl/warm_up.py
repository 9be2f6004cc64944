"""Draws a picture of two steps in each size, for what the first picture of a process waits for.

A card loads each kernel when it is first launched, and libraries make handles and workspaces for
each thread. So a size is drawn in the thread that draws it in predictions: the preview in the
caller's, the final picture in the worker's. What is drawn is thrown away, and no later picture
differs for it.
"""

from collections.abc import Callable

import numpy as np

from plitka.color import palette
from plitka.engines.base import Drawn, DrawRequest, Guides
from plitka.request import parsing
from plitka.request.controlnet import ControlNetKind
from plitka.request.plan import PICTURE_SIZES, Plan, make_plan
from plitka.request.prompt import Subject
from plitka.runtime.background import BackgroundWorker
from plitka.tile.layout import lay

_STEPS = 4  # the length of the schedule, whose second half is run: a guided step, one that is not
_ANGLES: dict[ControlNetKind | None, int] = {None: 0, "canny": 90, "softedge": 45}


def warm_up(
    draw: Callable[[DrawRequest], Drawn],
    subject: Subject,
    controlnet: ControlNetKind | None,
    overlap: bool,
) -> None:
    """Draw both sizes with a ControlNet, which works as the UNet's first half does, or with none.

    draw: the engine's. overlap: whether predictions draw the final picture in a worker's thread.
    Raises what drawing raises.
    """
    plan = _make_plan(subject, controlnet)
    layout = lay(plan.recipe)

    def draw_gray(size: int) -> Drawn:
        gray = np.full((size, size, 3), 128, np.uint8)
        edges = None if controlnet is None else np.zeros_like(gray)
        return draw(DrawRequest(plan, layout, size, _STEPS, Guides(gray, edges)))

    with BackgroundWorker(overlap) as worker:
        draw_gray(PICTURE_SIZES["preview"])
        worker.submit(lambda: draw_gray(PICTURE_SIZES["final"])).result()


def _make_plan(subject: Subject, controlnet: ControlNetKind | None) -> Plan:
    text = f"100% black, {_ANGLES[controlnet]} degrees, seed 0"
    return make_plan(parsing.parse(text, palette.load()), subject)
