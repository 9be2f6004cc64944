"""ControlNets: loaded when a picture first needs them, evicted when memory is short."""

from collections import OrderedDict
from collections.abc import Mapping

from diffusers import ControlNetModel

from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import Options
from plitka.request.controlnet import ControlNetKind
from plitka.runtime.timing import log
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
            network = loading.load_controlnet(
                kind, self._sources[kind], self._unet, self._device, place
            )
            loading.set_memory_format(network, self._device, self._options)
            self._loaded[kind] = network
        self._loaded.move_to_end(kind)
        return self._loaded[kind]

    def evict(self, keep: ControlNetKind | None = None) -> ControlNetKind | None:
        """Drop the network used longest ago, but not `keep`. Return its kind, None for none."""
        oldest = next((kind for kind in self._loaded if kind != keep), None)
        if oldest is not None:
            log.info("ControlNet %s leaves memory", oldest)
            del self._loaded[oldest]
            device.release_memory(self._device)
        return oldest
