"""The SDXL engine: draws with the diffusion model, its LoRA and embeddings, and a ControlNet.

`SdxlEngine.draw` holds the lock and tries again where memory runs out; `_run_stages` is one
picture, in the stages of diffusers' StableDiffusionXLPipeline.__call__. What is loaded is in
`loading.py`, where it lies in memory in `model_memory.py`, what runs it faster in
`acceleration.py`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tqdm
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.base import Drawn, DrawRequest, Guides, Painter
from plitka.engines.procedural import RenderEngine
from plitka.engines.sdxl import device, loading, refusals, sampling
from plitka.engines.sdxl.acceleration import Acceleration
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.graphs import Graph
from plitka.engines.sdxl.guidance import Step, choose_deep_interval, plan_steps
from plitka.engines.sdxl.model_memory import ModelMemory
from plitka.engines.sdxl.options import SdxlSettings
from plitka.engines.sdxl.sampling import Schedule
from plitka.engines.sdxl.text_encoding import PromptEmbeddings, PromptEncoder
from plitka.engines.sdxl.warm_up import warm_up
from plitka.errors import EngineError, extract_first_line
from plitka.request.plan import Plan, count_steps
from plitka.request.recipe import Recipe
from plitka.runtime import logs
from plitka.runtime.progress import ProgressBar
from plitka.runtime.timing import Stages, log
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges
from plitka.tile.layout import Layout


def load_sdxl(
    settings: SdxlSettings,
    package: Path | str | None = None,
    painter: Painter | None = None,
    stages: Stages | None = None,
) -> "SdxlEngine":
    """Load everything but the ControlNets.

    package: what setup() was given as weights. painter: of init images, the render unless given.
    stages: of setup(), so far.
    """
    # No library's bar may start tqdm's monitor thread: it would start within a prediction, and why
    # none may stands in runtime/background.py, at start_thread.
    tqdm.tqdm.monitor_interval = 0
    loaded = loading.load(settings, package, stages)
    return SdxlEngine(loaded, painter)


class SdxlEngine:
    """SDXL with its LoRA, embeddings and ControlNets. Draws one picture at a time."""

    name = "sdxl"
    uses_controlnet = True
    draws_exactly = False

    def __init__(self, loaded: loading.Loaded, painter: Painter | None = None) -> None:
        self._painter = painter or RenderEngine()
        self.pipe = loaded.pipe
        self.subject = loaded.subject
        self.presets = loaded.presets
        self.lora_scale = loaded.lora_scale
        self.device: Device = loaded.device
        self.options = loaded.options
        self.turbo = loaded.turbo
        self.controlnets = ControlNets(
            loaded.controlnets,
            loaded.pipe.unet.config,
            loaded.device,
            loaded.options,
        )
        self.faster = Acceleration(loaded)
        self.memory = ModelMemory(loaded, self.controlnets, self.faster)
        self._turbo_scheduler = loaded.turbo_scheduler
        self._lock = threading.Lock()
        self._prompt_encoder = PromptEncoder(loaded.pipe, loaded.options.keep_prompts)
        with loaded.stages("place networks"):
            self.memory.place()
        self.faster.compile_blocks(self.memory.plan, loaded.stages)

    def capture_graphs(self, stages: Stages, make_graph: Callable[[], Graph] | None = None) -> None:
        """Capture the steps of presets as CUDA graphs, on a card with room for them.

        stages: of setup(), so far. make_graph: in place of the device's own graphs.
        """
        loaded = tuple(self.controlnets.loaded.values())
        self.faster.capture_graphs(self.memory.plan, loaded, stages, make_graph)

    def prepare(self, stages: Stages) -> None:
        """Do what the first pictures would wait for: load the ControlNets, and warm the device up.

        Those that are on this machine and leave room for a picture are loaded. A CPU has nothing
        to warm up that would be worth a picture. Raises EngineError where a picture would fail.
        stages: of setup(), so far.
        """
        with self._lock:
            self.memory.load_controlnets_ahead(stages)
            self.capture_graphs(stages)
        if self.device.kind != "cpu":
            kind = next(iter(self.controlnets.loaded), None)
            with stages("warm up"):
                warm_up(self.draw, self.subject, kind, self.options.overlap)

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError if the recipe asks for something that this engine cannot do."""
        refusals.check_recipe(recipe, self.turbo is not None)

    def health_check(self) -> None:
        """Raise EngineError if the device fails or, between pictures, has too little memory."""
        device.check_device(self.device)
        self.memory.check_free(is_idle=not self._lock.locked())

    def lay(self, recipe: Recipe) -> Layout:
        """Lay the tile as the painter does, so that all else follows what the init image shows."""
        return self._painter.lay(recipe)

    def make_guides(self, plan: Plan, layout: Layout, size: int) -> Guides:
        """Paint the layout, and draw its edges in the way that the plan's ControlNet knows."""
        if plan.strength is None and plan.control.kind is None:
            return Guides()
        painted = self._painter.paint(layout, size)
        edges = None
        if plan.control.kind is not None:
            draw_edges = draw_canny_edges if plan.control.kind == "canny" else draw_soft_edges
            edges = draw_edges(layout, painted)
        return Guides(None if plan.strength is None else painted, edges)

    def draw(self, request: DrawRequest, at_step: Callable[[], None] = lambda: None) -> Drawn:
        """Draw one picture; while memory runs out, make room and try again."""
        with self._lock:  # two runs at the same time would move each other's modules away
            self.memory.take_up_again()
            first = drawn = self._draw_unless_out_of_memory(request, at_step)
            while not isinstance(drawn, Drawn):
                if not self.memory.make_room(request.plan.control.kind):
                    device.release_memory(self.device)
                    # The first may have meant something else, and the others only followed.
                    raise self.memory.explain_shortage(str(first))
                drawn = self._draw_unless_out_of_memory(request, at_step)
            return drawn

    def _draw_unless_out_of_memory(
        self, request: DrawRequest, at_step: Callable[[], None]
    ) -> Drawn | str:
        """Draw one picture. Return the first line of the error if memory ran out.

        What the attempt used is free again then.
        """
        ended = False
        try:
            device.reset_peak(self.device)
            self.memory.place()
            with torch.inference_mode():
                drawn = self._run_stages(request, at_step)
            ended = True
            return drawn
        except RuntimeError as error:
            if not device.is_out_of_memory(error):
                raise
            return extract_first_line(error)
        finally:
            if not ended:
                self.memory.doubt_places()

    def _run_stages(self, request: DrawRequest, at_step: Callable[[], None]) -> Drawn:
        """Run the stages of one picture."""
        plan, size = request.plan, request.size
        stopwatch = _Stopwatch()

        # 1. Encode the prompts
        embeddings = self._encode_prompts(plan)
        stopwatch.end("prompts")

        # 2. Load the ControlNet
        controlnet = self.memory.load_controlnet(plan.control.kind)
        stopwatch.end("models")

        # 3. Prepare the conditions
        condition = sampling.make_condition(
            embeddings,
            size,
            plan.guidance_scale,
            controlnet,
            request.guides.edges,
            plan.controlnet_scale,
        )

        # 4. Prepare the schedule
        turbo = self.turbo if plan.recipe.quality == "turbo" else None
        scheduler = self.pipe.scheduler if turbo is None else self._turbo_scheduler
        count = count_steps(request.steps, plan.strength)
        schedule = sampling.make_schedule(scheduler, request.steps, count, self.device.name)
        controlnet_scale = 0.0 if controlnet is None else plan.controlnet_scale
        interval = choose_deep_interval(plan, self.options)
        steps = plan_steps(
            schedule.sigmas, plan.guidance_scale, controlnet_scale, self.options, interval
        )

        # 5. Prepare the latents
        latents = self._prepare_latents(request, schedule, condition.text)
        stopwatch.end("encode")

        # 6. Denoise
        compiled = self.faster.fits_code(embeddings, turbo)
        with (
            self.faster.use_code(compiled),
            self.memory.on_device(self.pipe.unet, controlnet, turbo),
            nullcontext() if turbo is None else turbo.on(),
            _show_progress(size, len(steps), at_step) as advance,
        ):
            run, replays = self.faster.choose_run(turbo), self.faster.count_replays()
            latents = sampling.denoise(
                self.pipe.unet, schedule, steps, latents, condition, advance, run
            )
            device.synchronize(self.device)
        _refuse_nonfinite(latents)
        stopwatch.end("denoise")

        # 7. Decode
        image = self._decode(latents)
        stopwatch.end("decode")

        self._log_picture(size, steps, stopwatch.seconds)
        metrics = {
            **self._collect_metrics(steps, stopwatch.seconds),
            "compiled": compiled,
            "graph_replays": self.faster.count_replays() - replays,
        }
        return Drawn(image, len(steps), metrics)

    # Parts of the stages

    def _encode_prompts(self, plan: Plan) -> PromptEmbeddings:
        embeddings = self._prompt_encoder.encode(
            plan.prompt, plan.negative_prompt, self.memory.encoders_on_device()
        )
        return embeddings.to(self.device.name)

    def _prepare_latents(self, request: DrawRequest, schedule: Schedule, like: Tensor) -> Tensor:
        """Make the latents of the first step, (1, 4, size / 8, size / 8), in `like`'s dtype.

        Pure noise, or the init image's latents with as much noise as the first step takes away.
        """
        generator = torch.Generator("cpu").manual_seed(request.plan.recipe.seed)
        if request.guides.init is None:
            latents = sampling.draw_noise(schedule, request.size, generator, like)
        else:
            with self.memory.on_device(self.pipe.vae):
                latents = sampling.encode_image(self.pipe.vae, request.guides.init, generator, like)
            latents = sampling.add_noise(schedule, latents, generator)
        sampling.draw_step_noise(schedule, latents, generator)
        return latents

    def _decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Decode latents to a picture, (size, size, 3) RGB, 0 to 255."""
        with self.faster.use_code(), self.memory.on_device(self.pipe.vae):
            return sampling.make_picture(sampling.decode_latents(self.pipe.vae, latents))

    # What is reported

    def _log_picture(self, size: int, steps: Sequence[Step], seconds: dict[str, float]) -> None:
        log.info(
            "%dx%d: %d steps, %d guided, %d with ControlNet, %d in full, %s, %s",
            size,
            size,
            len(steps),
            sum(step.guided for step in steps),
            sum(step.controlled for step in steps),
            sum(step.deep for step in steps),
            ", ".join(f"{stage} {value:.2f} s" for stage, value in seconds.items()),
            device.describe_memory(self.device),
        )

    def _collect_metrics(self, steps: Sequence[Step], seconds: dict[str, float]) -> dict[str, Any]:
        return {
            "device": self.device.title,
            "dtype": self.device.dtype,
            "memory_plan": self.memory.plan,
            **({} if self.lora_scale is None else self.lora_scale.as_json()),
            "controlnets_loaded": sorted(self.controlnets.loaded),
            "guided_steps": sum(step.guided for step in steps),
            "controlnet_steps": sum(step.controlled for step in steps),
            "deep_steps": sum(step.deep for step in steps),
            "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
            "memory": device.measure_memory(self.device),
        }


class _Stopwatch:
    """Times the stages of one picture. seconds: stage -> wall-clock seconds, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, stage: str) -> None:
        """Record the seconds since the stage before ended."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now


@contextmanager
def _show_progress(
    size: int, steps: int, at_step: Callable[[], None]
) -> Iterator[Callable[[], None]]:
    """Show a progress bar. Yields the callback for each step, which calls `at_step` as well."""
    hidden = not logs.shows_progress()
    with ProgressBar(total=steps, desc=f"{size}x{size}", mininterval=0.5, disable=hidden) as bar:

        def advance() -> None:
            bar.update()
            at_step()

        yield advance


def _refuse_nonfinite(latents: Tensor) -> None:
    if not torch.isfinite(latents).all():
        raise EngineError(
            "the UNet returned NaN or inf, so the picture would be black: the base model with its"
            " LoRA overflowed; use a smaller PLITKA_LORA_SCALE, another LoRA, or check the base"
            " model's files with python -m plitka check"
        )
