"""Keeps the model in the device's memory: by a memory plan, and by a smaller one when it runs out.

Who draws asks for networks, and says when an attempt failed for want of memory; where networks are,
what is given up for others, and what is taken up again, is known here alone.
"""

from contextlib import AbstractContextManager, nullcontext

import torch
from diffusers import ControlNetModel
from torch.nn import Module

from plitka.engines.sdxl import device, loading
from plitka.engines.sdxl.acceleration import Acceleration
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan, step_down
from plitka.engines.sdxl.options import MEMORY_FRACTION
from plitka.engines.sdxl.placement import Placement
from plitka.engines.sdxl.recovery import Recovery
from plitka.errors import EngineError
from plitka.request.controlnet import ControlNetKind
from plitka.runtime.memory import format_gib, measure_free_main_memory
from plitka.runtime.timing import Stages, log

_VAE_TILE = 512  # pixels a side of what the VAE decodes at once in the smaller memory plans


class ModelMemory:
    """Where the networks of one model are.

    plan: the memory plan of the next picture. needs: what the model needs. recovery: of a plan that
    was given up. faster: what is given up before the plan is.
    """

    def __init__(
        self, loaded: loading.Loaded, controlnets: ControlNets, faster: Acceleration
    ) -> None:
        self.plan: MemoryPlan = loaded.memory_plan
        self.needs = loaded.needs
        self.recovery = Recovery()
        self._pipe = loaded.pipe
        self._turbo = loaded.turbo
        self._device = loaded.device
        self._controlnets = controlnets
        self._faster = faster
        self._placement = Placement(loaded.device)
        self._placed: MemoryPlan | None = None  # by which networks are in place

    @property
    def encoders(self) -> tuple[Module, Module]:
        """The text encoders."""
        return self._pipe.text_encoder, self._pipe.text_encoder_2

    # For a picture

    def place(self) -> None:
        """Put every network where the plan wants it, wherever a cancelled run left it."""
        if self._placed == self.plan:
            return
        self._faster.adapt(self.plan)
        vae, unet = self._pipe.vae, self._pipe.unet
        adapters = []
        if self._turbo is not None:
            self._turbo.switch_off()
            if self.plan == "offload":
                self._turbo.give_up_weights()
            if not self._turbo.is_fused:
                adapters.append(self._turbo)
        for network in (vae, unet, *adapters, *self._controlnets.loaded.values()):
            self._place(network, visits=self.plan == "offload")
        for encoder in self.encoders:
            self._place(encoder, visits=self.plan != "resident")
        if vae.dtype != unet.dtype:  # a run was cancelled while the VAE worked in float32
            vae.to(dtype=unet.dtype)
        if self.plan in ("tiled_vae", "offload"):
            # SDXL's own tiles are 1024 pixels, which leaves a picture of 1024 whole.
            vae.enable_tiling()
            vae.tile_sample_min_size = _VAE_TILE
            vae.tile_latent_min_size = _VAE_TILE // 2 ** (len(vae.config.block_out_channels) - 1)
        else:
            vae.disable_tiling()
        device.release_memory(self._device)
        self._placed = self.plan

    def _place(self, network: Module, visits: bool) -> None:
        if visits:
            self._placement.send_away(network)
        else:
            self._placement.keep(network)

    def doubt_places(self) -> None:
        """Have `place` look after every network again, as after a run that did not end."""
        self._placed = None

    def on_device(self, *networks: Module | None) -> AbstractContextManager[None]:
        """Have networks on the device for the block, which under `offload` only visit it."""
        if self.plan != "offload":
            return nullcontext()
        return self._placement.visit(*(network for network in networks if network is not None))

    def encoders_on_device(self) -> AbstractContextManager[None]:
        """Have the text encoders on the device for the block, unless they stay there."""
        if self.plan == "resident":
            return nullcontext()
        return self._placement.visit(*self.encoders)

    # ControlNets

    def load_controlnet(self, kind: ControlNetKind | None) -> ControlNetModel | None:
        """Return the network in its place, with room for a picture beside it."""
        if kind is None:
            return None
        if self.plan == "offload":
            network = self._controlnets.get(kind, "cpu")
            self._placement.send_away(network)
            return network
        needed = self.needs.controlnet + self.needs.of_work(self.plan)
        with torch.inference_mode(False):  # compiled code takes weights made in it for others
            network = self._controlnets.get(kind, self._device.name, needed)
        self._faster.add(network)
        return network

    def load_controlnets_ahead(self, stages: Stages) -> None:
        """Load those that are on this machine and leave room for a picture."""
        place = "cpu" if self.plan == "offload" else self._device.name
        self._controlnets.load_ahead(place, self._has_room_for_controlnet, stages)

    def _has_room_for_controlnet(self) -> bool:
        """Whether a picture can be drawn beside one more ControlNet."""
        if self.plan == "offload":  # in pages that are pinned when it is first used
            return measure_free_main_memory() >= 2 * self.needs.controlnet
        needed = self.needs.controlnet + self.needs.of_work(self.plan)
        return device.measure_free_memory(self._device) >= needed

    # When memory runs out

    def make_room(self, keep: ControlNetKind | None) -> bool:
        """Make room for another attempt. Return False where nothing is left to give up.

        Evicts the ControlNets that the picture does not need, which takes no speed from it; then
        gives up the graphs, then turbo's own weights, which graphs may read; then goes on with a
        smaller memory plan, the fastest that fits into what is left by now. Graphs and turbo's
        weights come back with a restart alone: a prediction that is cancelled in the middle of a
        capture would leave torch's allocator and stream in it, for all pictures after.
        """
        evicted = False
        if self.plan != "offload":
            while self._controlnets.evict(keep):
                evicted = True
        device.release_memory(self._device)
        if evicted:
            log.warning("out of memory; once more without the other ControlNet")
            return True
        if self._faster.graphs is not None:
            self._faster.graphs = None
            device.release_memory(self._device)
            log.warning("out of memory; once more without CUDA graphs, and so from now on")
            return True
        if self._turbo is not None and self._turbo.is_fused:
            self._turbo.give_up_weights()
            device.release_memory(self._device)
            log.warning("out of memory; once more without weights of its own for turbo")
            return True
        before, room = self.plan, device.measure_room(self._device)
        smaller = step_down(before, room, self.needs, controlled=keep is not None)
        if smaller is None:
            return False
        self.recovery.give_up(before)
        self.plan = smaller
        log.warning(
            "out of memory with the memory plan %s; once more with %s: %s",
            before,
            smaller,
            PLANS[smaller],
        )
        return True

    def take_up_again(self) -> None:
        """Go back to a faster memory plan, where memory ran out and there is room by now."""
        if not self.recovery.is_due:
            return
        before, room = self.plan, device.measure_room(self._device)
        loaded = len(self._controlnets.loaded)
        self.plan = self.recovery.choose(before, room, self.needs, loaded)
        if self.plan != before:
            log.info(
                "%s could be had on the device for some pictures: memory plan %s again: %s",
                format_gib(room),
                self.plan,
                PLANS[self.plan],
            )

    def explain_shortage(self, reason: str) -> EngineError:
        """Make the error for a picture for which no memory plan is small enough."""
        free = format_gib(device.measure_free_memory(self._device))
        return EngineError(
            f"out of memory on {self._device.title} ({reason}), at last with the memory plan"
            f" {self.plan} ({PLANS[self.plan]}); {free} is free now: end what"
            f" else uses it, raise {MEMORY_FRACTION} where it is set, or take a larger device"
        )

    def check_free(self, is_idle: bool) -> None:
        """Raise EngineError if, between pictures, there is too little memory for any.

        is_idle: whether no picture is drawn at the moment.
        """
        free, least = device.measure_free_memory(self._device), self.needs.decode_tiled
        if is_idle and free < least:  # unless a cancelled picture left it in cycles of frames
            device.release_memory(self._device)
            free = device.measure_free_memory(self._device)
        if is_idle and free < least:
            raise EngineError(
                f"{self._device.title}: {format_gib(free)} of memory is free, and a picture needs"
                f" {format_gib(least)} at the least; end other programs that use"
                " it"
            )
