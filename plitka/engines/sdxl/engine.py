"""The SDXL engine: draws with the diffusion model, its LoRA and embeddings, and a ControlNet.

What is loaded is in `loading.py` beside it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tqdm
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.base import Drawn, Guides
from plitka.engines.sdxl import compilation, device, loading, options, sampling
from plitka.engines.sdxl.compilation import CompiledUNet
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.guidance import Step, plan_steps
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan, step_down
from plitka.engines.sdxl.options import MEMORY_FRACTION, SdxlSettings
from plitka.engines.sdxl.sampling import Schedule
from plitka.engines.sdxl.text_encoding import PromptEmbeddings, PromptEncoder
from plitka.errors import EngineError
from plitka.request.controlnet import ControlNetKind
from plitka.request.plan import Plan, count_steps
from plitka.request.recipe import Recipe, RecipeError
from plitka.runtime import logs
from plitka.runtime.memory import format_gib
from plitka.runtime.timing import Stages, log
from plitka.tile import render
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges
from plitka.tile.layout import Layout
from plitka.weights.settings import TURBO_LORA

_TILE = 512  # pixels a side of what the VAE decodes at once in the smaller memory plans


def load_sdxl(settings: SdxlSettings, package: Path | str | None = None) -> "SdxlEngine":
    """Load all but the ControlNets. package: what setup() was given as weights."""
    loaded = loading.load(settings, package)
    engine = SdxlEngine(loaded)
    seconds = loaded.stages.seconds
    parts = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    log.info("setup took %.1f s: %s", sum(seconds.values()), parts)
    return engine


class SdxlEngine:
    name = "sdxl"
    uses_controlnet = True

    def __init__(self, loaded: loading.Loaded) -> None:
        self.pipe = loaded.pipe
        self.tokens = loaded.tokens
        self.device: Device = loaded.device
        self.memory_plan: MemoryPlan = loaded.memory_plan
        self.savings = loaded.savings
        self.turbo = loaded.turbo
        self._turbo_scheduler = loaded.turbo_scheduler
        self._needs = loaded.needs
        self._lock = threading.Lock()
        self._prompts = PromptEncoder(loaded.pipe, loaded.savings.keep_prompts)
        self.controlnets = ControlNets(
            load=lambda kind: self._load_controlnet(kind, loaded.controlnets[kind]),
            free=lambda: device.free_memory(self.device),
            release=lambda: device.release_memory(self.device),
        )
        self._settle()
        self._compiled = self._compile(loaded.stages)

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError where the recipe asks for what this engine cannot do."""
        if recipe.quality == "turbo" and self.turbo is None:
            raise RecipeError(
                'quality: "turbo" needs a distilled LoRA, and this engine was loaded without one;'
                f" take another quality, or set {TURBO_LORA} before the start"
            )
        scale = recipe.overrides.lora_scale
        if scale is not None:
            raise RecipeError(
                f"overrides.lora_scale: got {scale:g}, but the LoRA is fused into the model when it"
                " is loaded, so its scale is the same for all requests; leave it out, and set"
                " PLITKA_LORA_SCALE before the start"
            )

    def answer(self) -> None:
        """Raise EngineError where the device is gone or, at rest, has too little memory left."""
        device.check_device(self.device)
        at_rest = not self._lock.locked()
        free, least = device.free_memory(self.device), self._needs.decode_tiled
        if at_rest and free < least:
            raise EngineError(
                f"{self.device.title}: {format_gib(free)} of memory is free, and a picture needs"
                f" {format_gib(least)} at the least; end what else uses it"
            )

    def _load_controlnet(self, kind: ControlNetKind, text: str) -> Any:
        network = loading.load_controlnet(kind, text, self.device, self._resting)
        loading.set_memory_format(network, self.device, self.savings)
        return network

    def _compile(self, stages: Stages) -> CompiledUNet | None:
        """Compile where that is asked for, and networks stay where they are."""
        backend = self.savings.compile
        if backend is None:
            return None
        if self.memory_plan not in compilation.PLANS:
            log.warning(
                "%s: nothing is compiled with the memory plan %s, which moves the networks or cuts"
                " pictures into tiles; take a larger card, or set it to 0",
                *(options.COMPILE, self.memory_plan),
            )
            return None
        with stages(f"compile with {backend}"):
            return CompiledUNet(self.pipe, self.device, self.savings)

    def guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        if plan.strength is None and plan.control.kind is None:
            return Guides()
        photo = render.render_picture(layout, size)
        edges = None
        if plan.control.kind is not None:
            draw = draw_canny_edges if plan.control.kind == "canny" else draw_soft_edges
            edges = draw(layout, photo)
        return Guides(None if plan.strength is None else photo, edges)

    def draw(
        self,
        plan: Plan,
        layout: Layout,
        size: int,
        steps: int,
        guides: Guides | None = None,
        at_step: Callable[[], None] = lambda: None,
    ) -> Drawn:
        """Draw the layout. Where memory runs out, once more with a smaller memory plan."""
        guides = guides or self.guides(plan, layout, size)
        with self._lock:  # two runs at once would take each other's modules away
            return self._drawn(_Request(plan, guides, size, steps, at_step))

    def _drawn(self, asked: "_Request") -> Drawn:
        result = self._unless_out_of_memory(asked)
        if result is None:
            self._step_down(asked.plan.control.kind)
            result = self._unless_out_of_memory(asked)
        if result is not None:
            return result
        device.release_memory(self.device)
        free = format_gib(device.free_memory(self.device))
        raise EngineError(
            f"out of memory on {self.device.title}, twice, the second time with the memory plan"
            f" {self.memory_plan} ({PLANS[self.memory_plan]}); {free} is free now: end what"
            f" else uses it, raise {MEMORY_FRACTION} where it is set, or take a larger device"
        )

    def _unless_out_of_memory(self, asked: "_Request") -> Drawn | None:
        """The picture; None where memory ran out, and what the attempt held is free again."""
        try:
            return self._draw(asked)
        except RuntimeError as error:
            if not device.is_out_of_memory(error):
                raise
        return None

    def _step_down(self, kept: ControlNetKind | None) -> None:
        """Free what can be freed, and go on with the next smaller memory plan."""
        while self.controlnets.evict(kept):
            pass
        before, self.memory_plan = self.memory_plan, step_down(self.memory_plan)
        if self._compiled is not None and self.memory_plan not in compilation.PLANS:
            self._compiled.drop()
            self._compiled = None
        device.release_memory(self.device)
        log.warning(
            "out of memory with the memory plan %s; once more with %s: %s",
            before,
            self.memory_plan,
            PLANS[self.memory_plan],
        )

    def _draw(self, asked: "_Request") -> Drawn:
        device.reset_peak(self.device)
        self._settle()
        with torch.inference_mode():
            return self._sampled(asked)

    def _sampled(self, asked: "_Request") -> Drawn:
        plan, size = asked.plan, asked.size
        watch = _Stopwatch()
        embedded = self._embed(plan)
        watch.end("prompts")
        controlnet = self._controlnet(plan)
        watch.end("models")
        given = sampling.make_condition(
            embedded,
            size,
            plan.guidance_scale,
            controlnet,
            asked.guides.edges,
            plan.controlnet_scale,
        )
        run = count_steps(asked.steps, plan.strength)
        turbo = self.turbo if plan.recipe.quality == "turbo" else None
        scheduler = self.pipe.scheduler if turbo is None else self._turbo_scheduler
        schedule = sampling.make_schedule(scheduler, asked.steps, run, self.device.name)
        scale = 0.0 if controlnet is None else plan.controlnet_scale
        steps = plan_steps(schedule.sigmas, plan.guidance_scale, scale, self.savings)
        compiled = self._compiled if turbo is None else None  # whose hooks are not in that code
        fits = compiled is not None and compiled.fits(embedded)
        unet = compiled if compiled is not None and fits else self.pipe.unet
        latents = self._start(asked, schedule, given.text)
        watch.end("encode")
        with (
            self._at_work(self.pipe.unet, controlnet, turbo),
            nullcontext() if turbo is None else turbo.on(),
            _progress_bar(size, run) as bar,
        ):

            def at_step() -> None:
                bar.update()
                asked.at_step()

            latents = sampling.denoise(unet, schedule, steps, latents, given, at_step)
            device.synchronize(self.device)
        _refuse_nonfinite(latents)
        watch.end("denoise")
        with self._at_work(self.pipe.vae):
            image = _to_image(sampling.decode_latents(self.pipe.vae, latents))
        watch.end("decode")
        metrics = {**self._metrics(size, steps, watch), "compiled": unet is compiled}
        return Drawn(image, run, metrics)

    def _start(self, asked: "_Request", schedule: Schedule, like: Tensor) -> Tensor:
        """Latents for the first step: noise, or as much noise as it takes away over the render."""
        generator = torch.Generator("cpu").manual_seed(asked.plan.recipe.seed)
        if asked.guides.init is None:
            return sampling.draw_noise(schedule, asked.size, generator, like)
        with self._at_work(self.pipe.vae):
            latents = sampling.encode_image(self.pipe.vae, asked.guides.init, generator, like)
        return sampling.add_noise(schedule, latents, generator)

    def _embed(self, plan: Plan) -> PromptEmbeddings:
        def at_work(now: bool) -> None:
            if self._resting_encoders != self.device.name:
                for encoder in self._encoders:
                    encoder.to(self.device.name if now else self._resting_encoders)
                device.release_memory(self.device)

        embedded = self._prompts.embed(plan.prompt, plan.negative_prompt, at_work)
        return embedded.to(self.device.name)

    def _controlnet(self, plan: Plan) -> Any:
        if plan.control.kind is None:
            return None
        needed = self._needs.controlnet + self._needs.denoise
        return self.controlnets.get(plan.control.kind, needed)

    @contextmanager
    def _at_work(self, *modules: Any) -> Iterator[None]:
        """With the memory plan `offload`, the modules are on the device only in the block."""
        moved = [] if self.memory_plan != "offload" else [m for m in modules if m is not None]
        for module in moved:
            module.to(self.device.name)
        yield
        for module in moved:
            module.to(self._resting)
        if moved:
            device.release_memory(self.device)

    @property
    def _encoders(self) -> tuple[torch.nn.Module, torch.nn.Module]:
        return self.pipe.text_encoder, self.pipe.text_encoder_2

    @property
    def _resting(self) -> str:
        """Where models wait for their work."""
        return "cpu" if self.memory_plan == "offload" else self.device.name

    @property
    def _resting_encoders(self) -> str:
        return self.device.name if self.memory_plan == "resident" else "cpu"

    def _settle(self) -> None:
        """Put every module where the memory plan wants it, whatever a cancelled run has left."""
        vae, unet = self.pipe.vae, self.pipe.unet
        beside = [self.turbo] if self.turbo is not None else []
        for module in (vae, unet, *beside, *self._encoders, *self.controlnets.loaded.values()):
            at_rest = self._resting_encoders if module in self._encoders else self._resting
            module.to(at_rest)
        if vae.dtype != unet.dtype:  # a pipeline was cancelled while it had it in float32
            vae.to(dtype=unet.dtype)
        if self.memory_plan in ("tiled_vae", "offload"):
            # SDXL's own tiles are 1024 pixels, which leaves a picture of 1024 whole.
            vae.enable_tiling()
            vae.tile_sample_min_size = _TILE
            vae.tile_latent_min_size = _TILE // 2 ** (len(vae.config.block_out_channels) - 1)

    def _metrics(self, size: int, steps: Sequence[Step], watch: "_Stopwatch") -> dict[str, Any]:
        seconds = {part: round(value, 3) for part, value in watch.seconds.items()}
        parts = ", ".join(f"{part} {value:.2f} s" for part, value in watch.seconds.items())
        guided = sum(step.guided for step in steps)
        controlled = sum(step.controlled for step in steps)
        memory = device.describe_memory(self.device)
        log.info(
            "%dx%d: %d steps, %d guided, %d with ControlNet, %s, %s",
            *(size, size, len(steps), guided, controlled, parts, memory),
        )
        return {
            "device": self.device.title,
            "dtype": self.device.dtype,
            "memory_plan": self.memory_plan,
            "controlnets_loaded": sorted(self.controlnets.loaded),
            "guided_steps": guided,
            "controlnet_steps": controlled,
            "seconds": seconds,
            "memory": device.measure_memory(self.device),
        }


@dataclass(frozen=True)
class _Request:
    """One picture, as draw() was asked for it."""

    plan: Plan
    guides: Guides
    size: int
    steps: int
    at_step: Callable[[], None]


class _Stopwatch:
    """Times the parts of one picture. seconds: part -> seconds, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = now - self._last
        self._last = now


tqdm.tqdm.monitor_interval = 0  # no thread that watches bars: see ahead.prepare


def _progress_bar(size: int, steps: int) -> Any:
    hidden = not logs.shows_progress()
    return tqdm.tqdm(total=steps, desc=f"{size}x{size}", mininterval=0.5, disable=hidden)


def _refuse_nonfinite(latents: Tensor) -> None:
    if not torch.isfinite(latents).all():
        raise EngineError(
            "the model gave numbers that are none while it drew, so the picture would be black:"
            " the base model with its LoRA overflowed; use a smaller PLITKA_LORA_SCALE, another"
            " LoRA, or check the base model's files with python -m plitka check"
        )


def _to_image(image: Tensor) -> NDArray[np.uint8]:
    """(1, 3, size, size) in -1..1, on the device -> (size, size, 3) in 0..255."""
    pixels = (image * 0.5 + 0.5).clamp(0, 1)
    picture = pixels[0].cpu().permute(1, 2, 0).float().numpy()
    if not np.isfinite(picture).all():
        raise EngineError(
            "the model gave numbers that are none, so the picture would be black: the VAE"
            " overflowed in half precision; set PLITKA_VAE to madebyollin/sdxl-vae-fp16-fix, or"
            " use a LoRA and a scale that the model bears"
        )
    return np.asarray(np.rint(picture * 255), np.uint8)
