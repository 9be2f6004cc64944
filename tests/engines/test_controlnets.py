"""Which ControlNets stay in memory, and which leave when another needs room."""

from typing import Any

import pytest

from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import Options
from plitka.request.controlnet import ControlNetKind
from plitka.weights.sdxl_architecture import Config

SOURCES = {"canny": "somewhere/canny", "softedge": "somewhere/softedge"}
UNET = {"block_out_channels": [16, 32]}


class Shelf:
    """Networks of one byte on a device with room for a few of them; each needs one byte free."""

    def __init__(self, room: int, patch: pytest.MonkeyPatch) -> None:
        self.room = room
        self.loads: list[str] = []
        on = Device("cpu", "CPU", "float32", room)
        self.networks = ControlNets(SOURCES, UNET, on, Options())
        patch.setattr(
            device, "measure_free_memory", lambda _: self.room - len(self.networks.loaded)
        )
        patch.setattr(loading, "load_controlnet", self.load)

    def load(
        self, kind: ControlNetKind, source: str, unet: Config, _: Device, place: str, *__: object
    ) -> Any:
        assert (source, unet, place) == (SOURCES[kind], UNET, "cpu")
        self.loads.append(kind)
        return object()

    def get(self, *kinds: ControlNetKind) -> Any:
        """Get networks in this order; return the last one."""
        return [self.networks.get(kind, "cpu", 1) for kind in kinds][-1]


def test_networks_stay_while_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(2, monkeypatch)
    first = shelf.get("canny")
    shelf.get("softedge")
    assert shelf.get("canny") is first
    assert shelf.loads == ["canny", "softedge"]


def test_the_network_not_used_last_leaves_when_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf(1, monkeypatch)
    kinds: tuple[ControlNetKind, ...] = ("canny", "softedge", "canny")
    for kind in kinds:
        shelf.get(kind)
        assert list(shelf.networks.loaded) == [kind]


def test_of_two_networks_the_one_used_longest_ago_is_evicted_first_and_the_kept_one_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf(9, monkeypatch)
    shelf.get("canny", "softedge", "canny")
    assert shelf.networks.evict(keep="canny") == "softedge"
    assert shelf.networks.evict(keep="canny") is None
    assert list(shelf.networks.loaded) == ["canny"]


def test_a_network_that_failed_to_load_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(9, monkeypatch)

    def fail(kind: ControlNetKind, *_: object) -> Any:
        raise OSError(kind)

    monkeypatch.setattr(loading, "load_controlnet", fail)
    with pytest.raises(OSError, match="canny"):
        shelf.get("canny")
    assert not shelf.networks.loaded
