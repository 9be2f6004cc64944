"""ControlNets: loaded ahead or when a picture first needs them, evicted when memory is short."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from diffusers import ControlNetModel

from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import Options
from plitka.errors import WeightsError
from plitka.request.controlnet import CONTROLNET_KINDS, ControlNetKind
from plitka.runtime.timing import Stages, log
from plitka.weights.hub import MODEL, find_here
from plitka.weights.sdxl_architecture import Config


class ControlNets:
    """The networks that pictures have needed so far, each loaded once.

    sources: kind -> folder, file or repository of the hub. unet: the configuration of the UNet that
    they are for.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        unet: Config,
        device: Device,
        options: Options,
    ) -> None:
        self._sources = sources
        self._unet = unet
        self._device = device
        self._options = options
        self._loaded: OrderedDict[ControlNetKind, ControlNetModel] = OrderedDict()

    @property
    def loaded(self) -> Mapping[ControlNetKind, ControlNetModel]:
        """The networks in memory, the one used last at the end."""
        return self._loaded

    def get(self, kind: ControlNetKind, place: str, needed: int = 0) -> ControlNetModel:
        """Return the network of a kind; load it onto `place`, a torch device, if it is not loaded.

        needed: bytes of the device's memory that must be free before a network is loaded; others
        are evicted for it, the one used longest ago first. Raises WeightsError if it cannot be
        loaded.
        """
        if kind not in self._loaded:
            while self._loaded and device.measure_free_memory(self._device) < needed:
                self.evict(keep=kind)
            self._load(kind, self._sources[kind], place)
        self._loaded.move_to_end(kind)
        return self._loaded[kind]

    def load_ahead(self, place: str, has_room: Callable[[], bool], stages: Stages) -> None:
        """Load the networks whose files are on this machine, while there is room.

        Nothing is fetched and nothing is evicted. What cannot be loaded now fails the pictures that
        need it, and no others; so it is only told here.
        """
        for kind in CONTROLNET_KINDS:
            if kind in self._loaded:
                continue
            source = self._sources[kind]
            here = find_here(source, MODEL)
            if here is None:
                log.warning(
                    "ControlNet %s: %s is not on this machine; the first picture that needs it"
                    " waits until it is fetched", kind, source
                )  # fmt: skip
            elif not has_room():
                log.info("ControlNet %s: no room for it until a picture needs it", kind)
            else:
                try:
                    self._load(kind, str(here), place, stages)
                except WeightsError as fault:
                    log.warning("ControlNet %s: no picture can be drawn with it: %s", kind, fault)

    def _load(
        self, kind: ControlNetKind, source: str, place: str, stages: Stages | None = None
    ) -> None:
        in_order = loading.wants_channels_last(self._device, self._options)
        self._loaded[kind] = loading.load_controlnet(
            kind, source, self._unet, self._device, place, stages, in_order
        )

    def evict(self, keep: ControlNetKind | None = None) -> ControlNetKind | None:
        """Drop the network used longest ago, but not `keep`. Return its kind, None for none."""
        oldest = next((kind for kind in self._loaded if kind != keep), None)
        if oldest is not None:
            log.info("ControlNet %s leaves memory", oldest)
            del self._loaded[oldest]
            device.release_memory(self._device)
        return oldest
