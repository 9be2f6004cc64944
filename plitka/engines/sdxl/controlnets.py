"""Loads ControlNets when they are first needed, and evicts them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from plitka.runtime.timing import log

if TYPE_CHECKING:
    from diffusers import ControlNetModel
from plitka.request.controlnet import ControlNetKind


class ControlNets:
    """Networks that have been needed so far, each loaded once.

    Under memory pressure the one that was not used longest leaves first.
    """

    def __init__(
        self,
        load: Callable[[ControlNetKind], "ControlNetModel"],
        free: Callable[[], int],
        release: Callable[[], None],
    ) -> None:
        """free: bytes that are free for another network; release: gives back what has left."""
        self._load = load
        self._free = free
        self._release = release
        self._loaded: OrderedDict[ControlNetKind, ControlNetModel] = OrderedDict()

    @property
    def loaded(self) -> "Mapping[ControlNetKind, ControlNetModel]":
        """The networks in memory, the one used last at the end."""
        return self._loaded

    def get(self, kind: ControlNetKind, needed: int) -> "ControlNetModel":
        """The network, loaded unless it is there; `needed` bytes are made free for it before."""
        if kind not in self._loaded:
            while self._loaded and self._free() < needed:
                self.evict(kind)
            self._loaded[kind] = self._load(kind)
        self._loaded.move_to_end(kind)
        return self._loaded[kind]

    def evict(self, keep: ControlNetKind | None = None) -> ControlNetKind | None:
        """Drop the network not used longest, except the one to keep, and say which it was."""
        oldest = next((kind for kind in self._loaded if kind != keep), None)
        if oldest is not None:
            log.info("ControlNet %s leaves memory", oldest)
            del self._loaded[oldest]
            self._release()
        return oldest
