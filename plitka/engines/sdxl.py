"""The SDXL engine: draws with the diffusion model, its LoRA and embeddings, and a ControlNet.

What is loaded is in `loading.py` beside it.
"""

import logging
import time
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from accelerate.hooks import remove_hook_from_module
from numpy.typing import NDArray
from PIL import Image

from plitka import device, render
from plitka.control import ControlNets, Kind
from plitka.device import Device, MemoryPlan
from plitka.engines import Drawn, EngineError, loading
from plitka.engines.prompts import Embedded, Prompts
from plitka.layout import Layout
from plitka.plan import Plan
from plitka.recipe import Recipe, RecipeError
from plitka.stages import log

_TILE = 512  # pixels a side of what the VAE decodes at once in the smaller memory plans


def load(packed: Path | str | None = None, dtype: str | None = None) -> "SdxlEngine":
    """Load all but the ControlNets. `packed` is what setup() was given as weights.

    dtype: "float16", "bfloat16" or "float32", for measurements; the device decides without it.
    """
    return SdxlEngine(loading.load(packed, dtype))


class SdxlEngine:
    name = "sdxl"
    uses_controlnet = True

    def __init__(self, loaded: loading.Loaded) -> None:
        self.pipe = loaded.pipe
        self.tokens = loaded.tokens
        self.device: Device = loaded.device
        self.memory_plan: MemoryPlan = loaded.memory_plan
        self._needs = loaded.needs
        self._prompts = Prompts(loaded.pipe)
        self.controlnets = ControlNets(
            load=lambda kind: loading.load_controlnet(
                kind, loaded.controlnets[kind], self.device, self._resting
            ),
            free=lambda: device.free_memory(self.device),
            release=lambda: device.release(self.device),
        )
        self._settle()

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError where the recipe asks for what this engine cannot do."""
        scale = recipe.overrides.lora_scale
        if scale is not None:
            raise RecipeError(
                f"overrides.lora_scale: got {scale:g}, but the LoRA is fused into the model when it"
                " is loaded, so its scale is the same for all requests; leave it out, and set"
                " PLITKA_LORA_SCALE before the start"
            )

    def draw(self, plan: Plan, layout: Layout, size: int, steps: int) -> Drawn:
        """Draw the layout. Where memory runs out, once more with a smaller memory plan."""
        result = self._unless_out_of_memory(plan, layout, size, steps)
        if result is None:
            self._step_down(plan.control.kind)
            result = self._unless_out_of_memory(plan, layout, size, steps)
        if result is not None:
            return result
        device.release(self.device)
        free = device.gib(device.free_memory(self.device))
        raise EngineError(
            f"out of memory on {self.device.title}, twice, the second time with the memory plan"
            f" {self.memory_plan} ({device.PLANS[self.memory_plan]}); {free} is free now: end what"
            f" else uses it, raise {device.FRACTION} where it is set, or take a larger device"
        )

    def _unless_out_of_memory(
        self, plan: Plan, layout: Layout, size: int, steps: int
    ) -> Drawn | None:
        """The picture; None where memory ran out, and what the attempt held is free again."""
        try:
            return self._draw(plan, layout, size, steps)
        except RuntimeError as error:
            if not device.is_out_of_memory(error):
                raise
        return None

    def _step_down(self, kept: Kind | None) -> None:
        """Free what can be freed, and go on with the next smaller memory plan."""
        while self.controlnets.evict(kept):
            pass
        before, self.memory_plan = self.memory_plan, device.step_down(self.memory_plan)
        device.release(self.device)
        log.warning(
            "out of memory with the memory plan %s; once more with %s: %s",
            before,
            self.memory_plan,
            device.PLANS[self.memory_plan],
        )

    def _draw(self, plan: Plan, layout: Layout, size: int, steps: int) -> Drawn:
        device.reset_peak(self.device)
        self._settle()
        watch = _Watch()
        embedded = self._embed(plan)
        watch.end("prompts")
        images = _images(plan, layout, size)
        watch.end("images")
        pipe = self._pipeline(plan)
        watch.end("models")
        pipe.set_progress_bar_config(
            desc=f"{size}x{size}", mininterval=0.5, disable=not log.isEnabledFor(logging.INFO)
        )
        output = pipe(
            prompt_embeds=embedded.prompt,
            negative_prompt_embeds=embedded.negative,
            pooled_prompt_embeds=embedded.pooled,
            negative_pooled_prompt_embeds=embedded.negative_pooled,
            guidance_scale=plan.guidance_scale,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(plan.recipe.seed),
            output_type="np",
            callback_on_step_end=watch.step,
            callback_on_step_end_tensor_inputs=[],
            **_arguments(plan, images, size, steps),
        )
        watch.end("decode")
        return Drawn(_bytes(output.images[0]), watch.steps, self._metrics(size, watch))

    def _embed(self, plan: Plan) -> Embedded:
        def at_work(now: bool) -> None:
            if self._resting_encoders != self.device.name:
                for encoder in self._encoders:
                    encoder.to(self.device.name if now else self._resting_encoders)
                device.release(self.device)

        embedded = self._prompts.embed(plan.prompt, plan.negative_prompt, at_work)
        return embedded.to(self.device.name)

    def _pipeline(self, plan: Plan) -> Any:
        """The pipeline for a plan, made of the base pipeline's own modules.

        Nothing is copied or cast, so it costs next to nothing. `from_pipe` would cast the modules
        that it shares to float32 (diffusers #12754).
        """
        components = dict(self.pipe.components)
        if plan.control.kind is not None:
            needed = self._needs.controlnet + self._needs.denoise
            components["controlnet"] = self.controlnets.get(plan.control.kind, needed)
        pipe = _PIPELINES[plan.control.kind is not None, plan.strength is not None](
            **components, add_watermarker=False
        )
        if self.memory_plan == "offload":
            # Naming the device lets this run on the CPU as well, where it moves nothing.
            pipe.enable_model_cpu_offload(device=self.device.name)
        return pipe

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
        for module in (vae, unet, *self._encoders, *self.controlnets.loaded.values()):
            remove_hook_from_module(module, recurse=True)
            at_rest = self._resting_encoders if module in self._encoders else self._resting
            module.to(at_rest)
        if vae.dtype != unet.dtype:  # a pipeline was cancelled while it had it in float32
            vae.to(dtype=unet.dtype)
        if self.memory_plan in ("tiled_vae", "offload"):
            # SDXL's own tiles are 1024 pixels, which leaves a picture of 1024 whole.
            vae.enable_tiling()
            vae.tile_sample_min_size = _TILE
            vae.tile_latent_min_size = _TILE // 2 ** (len(vae.config.block_out_channels) - 1)

    def _metrics(self, size: int, watch: "_Watch") -> dict[str, Any]:
        seconds = {part: round(value, 3) for part, value in watch.seconds.items()}
        parts = ", ".join(f"{part} {value:.2f} s" for part, value in watch.seconds.items())
        memory = device.memory_line(self.device)
        log.info("%dx%d: %d steps, %s, %s", size, size, watch.steps, parts, memory)
        return {
            "device": self.device.title,
            "dtype": self.device.dtype,
            "memory_plan": self.memory_plan,
            "controlnets_loaded": sorted(self.controlnets.loaded),
            "seconds": seconds,
            "memory": device.memory_use(self.device),
        }


class _Watch:
    """Counts the steps that are really run, and times the parts of one picture.

    seconds: part -> seconds, "denoise" with all that comes between the models and the last step.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = self.seconds.get(part, 0.0) + now - self._last
        self._last = now

    def step(self, pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """After each step. What cancels a prediction is raised here at the latest."""
        self.steps += 1
        self.end("denoise")
        return tensors


# (with a ControlNet, from an init image) -> pipeline
_PIPELINES: dict[tuple[bool, bool], Any] = {
    (False, False): diffusers.StableDiffusionXLPipeline,
    (False, True): diffusers.StableDiffusionXLImg2ImgPipeline,
    (True, False): diffusers.StableDiffusionXLControlNetPipeline,
    (True, True): diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
}


def _images(plan: Plan, layout: Layout, size: int) -> dict[str, Image.Image]:
    """init: the layout's render; control: its edges. Each where the plan has a use for it."""
    images: dict[str, Image.Image] = {}
    if plan.strength is None and plan.control.kind is None:
        return images
    photo = render.picture(layout, size)
    if plan.strength is not None:
        images["init"] = Image.fromarray(photo)
    if plan.control.kind is not None:
        edges = render.canny if plan.control.kind == "canny" else render.soft_edge
        images["control"] = Image.fromarray(edges(layout, photo))
    return images


def _arguments(plan: Plan, images: dict[str, Image.Image], size: int, steps: int) -> dict[str, Any]:
    """What the four pipelines are told apart by; two of them call the control image `image`."""
    arguments: dict[str, Any] = {}
    if plan.strength is None:
        arguments.update(height=size, width=size)
    else:
        arguments.update(image=images["init"], strength=_strength(plan.strength, steps))
    if plan.control.kind is not None:
        name = "image" if plan.strength is None else "control_image"
        arguments[name] = images["control"]
        arguments["controlnet_conditioning_scale"] = plan.controlnet_scale
    return arguments


def _strength(strength: float, steps: int) -> float:
    """A strength for which the pipeline, which rounds down, runs round(steps * strength) steps.

    At least one: it fails on none. 50 * 0.58 is 28.999999999999996, and that is 29.
    """
    run = max(1, int(steps * strength + 1e-6))
    return min(1.0, (run + 0.5) / steps)


def _bytes(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(size, size, 3) in 0..1 -> 0..255."""
    if not np.isfinite(image).all():
        raise EngineError(
            "the model gave numbers that are none, so the picture would be black: the VAE"
            " overflowed in half precision; set PLITKA_VAE to madebyollin/sdxl-vae-fp16-fix, or"
            " use a LoRA and a scale that the model bears"
        )
    return np.asarray(np.rint(image * 255), np.uint8)
