from typing import Any

import pytest

from plitka.engines.sdxl.controlnets import ControlNets
from plitka.request.controlnet import ControlNetKind, choose_controlnet


@pytest.mark.parametrize(
    ("angle", "kind"),
    [
        (0, None),
        (180, None),
        (90, "canny"),
        (45, "softedge"),
        (135, "softedge"),
        (1, "canny"),
        (22.5, "canny"),
        (22.51, "softedge"),
        (67.49, "softedge"),
        (67.5, "canny"),
        (112.5, "canny"),
        (157.49, "softedge"),
        (157.5, "canny"),
        (179.9, "canny"),
    ],
)
def test_the_angle_chooses_canny_near_an_axis_and_softedge_between(
    angle: float, kind: str | None
) -> None:
    assert choose_controlnet(angle).kind == kind


def test_the_top_view_needs_none_and_says_so() -> None:
    assert choose_controlnet(0).reason == "top view is reliable without it"


@pytest.mark.parametrize(("angle", "kind"), [(0, "canny"), (45, "softedge"), (90, "canny")])
def test_it_can_be_forced_on_and_off_and_the_reason_says_so(angle: float, kind: str) -> None:
    on, off = choose_controlnet(angle, forced=True), choose_controlnet(angle, forced=False)
    assert (on.kind, off.kind) == (kind, None)
    assert on.reason.startswith("forced on by use_controlnet")
    assert off.reason == "forced off by use_controlnet"


def test_the_reason_states_the_angle() -> None:
    assert choose_controlnet(100).reason == "100 degrees is within 22.5 degrees of an axis"
    assert choose_controlnet(45).reason == "45 degrees is not within 22.5 degrees of an axis"


def test_a_scale_of_0_is_none_and_says_so() -> None:
    assert choose_controlnet(45, scale=0) == choose_controlnet(90, forced=True, scale=0)
    assert choose_controlnet(45, scale=0).reason == "controlnet_scale is 0"


class Shelf:
    """Networks of one size on a device that holds a few of them."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.loads: list[ControlNetKind] = []
        self.networks = ControlNets(self.load, self.free, lambda: None)

    def load(self, kind: ControlNetKind) -> Any:
        self.loads.append(kind)
        return object()

    def free(self) -> int:
        return self.room - len(self.networks.loaded)


def test_networks_stay_while_there_is_room() -> None:
    shelf = Shelf(room=2)
    first = shelf.networks.get("canny", 1)
    shelf.networks.get("softedge", 1)
    assert shelf.networks.get("canny", 1) is first
    assert shelf.loads == ["canny", "softedge"]


def test_the_network_not_used_last_leaves_when_memory_is_short() -> None:
    shelf = Shelf(room=1)
    for kind in ("canny", "softedge", "canny"):
        shelf.networks.get(kind, 1)
        assert list(shelf.networks.loaded) == [kind]


def test_of_two_networks_the_one_used_longest_ago_is_evicted_first_and_the_kept_one_never() -> None:
    shelf = Shelf(room=9)
    for kind in ("canny", "softedge", "canny"):
        shelf.networks.get(kind, 1)
    assert shelf.networks.evict(keep="canny") == "softedge"
    assert shelf.networks.evict(keep="canny") is None
    assert list(shelf.networks.loaded) == ["canny"]


def test_a_network_that_failed_to_load_is_not_kept() -> None:
    def fail(kind: ControlNetKind) -> Any:
        raise OSError(kind)

    networks = ControlNets(fail, lambda: 9, lambda: None)
    with pytest.raises(OSError, match="canny"):
        networks.get("canny", 1)
    assert not networks.loaded
