"""The SDXL engine: draws with the diffusion model, its LoRA and embeddings, and a ControlNet.

`SdxlEngine.draw` holds the lock and makes room where memory runs out; `_run_stages` is one
picture, in the stages of diffusers' StableDiffusionXLPipeline.__call__. What is loaded is in
`loading.py`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tqdm
from diffusers import ControlNetModel
from numpy.typing import NDArray
from torch import Tensor

from plitka.engines.base import Drawn, DrawRequest, Guides, Painter
from plitka.engines.procedural import RenderEngine
from plitka.engines.sdxl import capture, compilation, device, loading, refusals, sampling
from plitka.engines.sdxl.compilation import CompiledBlocks
from plitka.engines.sdxl.compiled_code import CompiledCode
from plitka.engines.sdxl.controlnets import ControlNets
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.graphs import Graph, NetworkGraphs
from plitka.engines.sdxl.guidance import Step, choose_deep_interval, plan_steps
from plitka.engines.sdxl.memory_plan import PLANS, MemoryPlan, step_down
from plitka.engines.sdxl.options import COMPILE, MEMORY_FRACTION, SdxlSettings
from plitka.engines.sdxl.placement import Placement
from plitka.engines.sdxl.recovery import Recovery
from plitka.engines.sdxl.sampling import Run, Schedule
from plitka.engines.sdxl.text_encoding import PromptEmbeddings, PromptEncoder
from plitka.engines.sdxl.turbo import TurboLora
from plitka.engines.sdxl.warm_up import warm_up
from plitka.errors import EngineError, extract_first_line
from plitka.request.controlnet import ControlNetKind
from plitka.request.plan import Plan, count_steps
from plitka.request.recipe import Recipe
from plitka.runtime import logs
from plitka.runtime.memory import format_gib, measure_free_main_memory
from plitka.runtime.progress import ProgressBar
from plitka.runtime.timing import Stages, log
from plitka.tile.edge_maps import draw_canny_edges, draw_soft_edges
from plitka.tile.layout import Layout

_VAE_TILE = 512  # pixels a side of what the VAE decodes at once in the smaller memory plans


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
        self.memory_plan: MemoryPlan = loaded.memory_plan
        self.options = loaded.options
        self.turbo = loaded.turbo
        self.controlnets = ControlNets(
            loaded.controlnets,
            loaded.pipe.unet.config,
            loaded.device,
            loaded.options,
        )
        self._turbo_scheduler = loaded.turbo_scheduler
        self._needs = loaded.needs
        self._placement = Placement(loaded.device)
        self._recovery = Recovery()
        self._placed: MemoryPlan | None = None  # by which networks are in place
        self._lock = threading.Lock()
        self._prompt_encoder = PromptEncoder(loaded.pipe, loaded.options.keep_prompts)
        self._graphs: NetworkGraphs | None = None
        with loaded.stages("place networks"):
            self._place_modules()
        self._compiled = self._compile_blocks(loaded.stages, loaded.snapshot)

    def capture_graphs(self, stages: Stages, make_graph: Callable[[], Graph] | None = None) -> None:
        """Capture the steps of presets as CUDA graphs, on a card with room for them.

        stages: of setup(), so far. make_graph: in place of the device's own graphs.
        """
        loaded = self.controlnets.loaded.values()
        make_graph = make_graph or capture.choose_graphs(
            self.device, self.options, self.memory_plan, self._needs, bool(loaded)
        )
        if make_graph is None:
            return
        turbo = self.turbo
        if self._compiled is not None and turbo is not None and not turbo.is_fused:
            turbo = None
        is_guided = self.presets["turbo"].guidance_scale > 1
        with stages("capture CUDA graphs"), self._use_code():
            self._graphs = capture.capture_steps(
                make_graph, self.pipe, loaded, turbo, is_guided, self.device
            )

    def prepare(self, stages: Stages) -> None:
        """Do what the first pictures would wait for: load the ControlNets, and warm the device up.

        Those that are on this machine and leave room for a picture are loaded. A CPU has nothing
        to warm up that would be worth a picture. Raises EngineError where a picture would fail.
        stages: of setup(), so far.
        """
        with self._lock:
            place = "cpu" if self.memory_plan == "offload" else self.device.name
            self.controlnets.load_ahead(place, self._has_room_for_controlnet, stages)
            self.capture_graphs(stages)
        if self.device.kind != "cpu":
            kind = next(iter(self.controlnets.loaded), None)
            with stages("warm up"):
                warm_up(self.draw, self.subject, kind, self.options.overlap)

    def _has_room_for_controlnet(self) -> bool:
        """Whether a picture can be drawn beside one more ControlNet."""
        if self.memory_plan == "offload":  # in pages that are pinned when it is first used
            return measure_free_main_memory() >= 2 * self._needs.controlnet
        needed = self._needs.controlnet + self._needs.of_work(self.memory_plan)
        return device.measure_free_memory(self.device) >= needed

    def check(self, recipe: Recipe) -> None:
        """Raise RecipeError if the recipe asks for something that this engine cannot do."""
        refusals.check_recipe(recipe, self.turbo is not None)

    def health_check(self) -> None:
        """Raise EngineError if the device fails or, between pictures, has too little memory."""
        device.check_device(self.device)
        is_idle = not self._lock.locked()
        free, least = device.measure_free_memory(self.device), self._needs.decode_tiled
        if is_idle and free < least:  # unless a cancelled picture left it in cycles of frames
            device.release_memory(self.device)
            free = device.measure_free_memory(self.device)
        if is_idle and free < least:
            raise EngineError(
                f"{self.device.title}: {format_gib(free)} of memory is free, and a picture needs"
                f" {format_gib(least)} at the least; end what else uses it"
            )

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
            self._take_up_again()
            first = drawn = self._draw_unless_out_of_memory(request, at_step)
            while not isinstance(drawn, Drawn):
                if not self._make_room(request.plan.control.kind):
                    device.release_memory(self.device)
                    # The first may have meant something else, and the others only followed.
                    raise self._explain_out_of_memory(str(first))
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
            self._place_modules()
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
                self._placed = None

    def _run_stages(self, request: DrawRequest, at_step: Callable[[], None]) -> Drawn:
        """Run the stages of one picture."""
        plan, size = request.plan, request.size
        stopwatch = _Stopwatch()

        # 1. Encode the prompts
        embeddings = self._encode_prompts(plan)
        stopwatch.end("prompts")

        # 2. Load the ControlNet
        controlnet = self._load_controlnet(plan.control.kind)
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
        compiled = self._fits_code(embeddings, turbo)
        with (
            self._use_code(compiled),
            self._on_device(self.pipe.unet, controlnet, turbo),
            nullcontext() if turbo is None else turbo.on(),
            _show_progress(size, len(steps), at_step) as advance,
        ):
            run, replays = self._choose_run(turbo), self._count_replays()
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
            "graph_replays": self._count_replays() - replays,
        }
        return Drawn(image, len(steps), metrics)

    # Parts of the stages

    def _encode_prompts(self, plan: Plan) -> PromptEmbeddings:
        embeddings = self._prompt_encoder.encode(
            plan.prompt, plan.negative_prompt, self._encoders_on_device()
        )
        return embeddings.to(self.device.name)

    def _load_controlnet(self, kind: ControlNetKind | None) -> ControlNetModel | None:
        """Return the network in its place, with room for a picture beside it."""
        if kind is None:
            return None
        if self.memory_plan == "offload":
            network = self.controlnets.get(kind, "cpu")
            self._placement.send_away(network)
            return network
        needed = self._needs.controlnet + self._needs.of_work(self.memory_plan)
        with torch.inference_mode(False):  # compiled code takes weights made in it for others
            network = self.controlnets.get(kind, self.device.name, needed)
        if self._compiled is not None:
            self._compiled.add(network)
        return network

    def _prepare_latents(self, request: DrawRequest, schedule: Schedule, like: Tensor) -> Tensor:
        """Make the latents of the first step, (1, 4, size / 8, size / 8), in `like`'s dtype.

        Pure noise, or the init image's latents with as much noise as the first step takes away.
        """
        generator = torch.Generator("cpu").manual_seed(request.plan.recipe.seed)
        if request.guides.init is None:
            return sampling.draw_noise(schedule, request.size, generator, like)
        with self._on_device(self.pipe.vae):
            latents = sampling.encode_image(self.pipe.vae, request.guides.init, generator, like)
        return sampling.add_noise(schedule, latents, generator)

    def _fits_code(self, embeddings: PromptEmbeddings, turbo: TurboLora | None) -> bool:
        """Whether compiled code can draw this picture."""
        if self._compiled is None or (turbo is not None and not turbo.is_fused):
            return False  # it was compiled without the LoRA's products
        return self._compiled.fits(embeddings)

    def _use_code(self, fits: bool = True) -> AbstractContextManager[Any]:
        """Run compiled code in the block, if there is some and it fits; compile no more."""
        return nullcontext() if self._compiled is None else compilation.use_compiled_code(fits)

    def _choose_run(self, turbo: TurboLora | None) -> Run:
        """Choose how the networks' passes are made: by replaying graphs where there are some."""
        if self._graphs is None:
            return sampling.call
        return capture.bind_run(self._graphs.run, self.pipe.unet, turbo)

    def _count_replays(self) -> int:
        return 0 if self._graphs is None else self._graphs.replays

    def _decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Decode latents to a picture, (size, size, 3) RGB, 0 to 255."""
        with self._use_code(), self._on_device(self.pipe.vae):
            return sampling.make_picture(sampling.decode_latents(self.pipe.vae, latents))

    # Memory: where modules are, and what to do when it runs out

    @property
    def _encoders(self) -> tuple[torch.nn.Module, torch.nn.Module]:
        return self.pipe.text_encoder, self.pipe.text_encoder_2

    def _place_modules(self) -> None:
        """Put every module where the memory plan wants it, wherever a cancelled run left it."""
        if self._placed == self.memory_plan:
            return
        if self.memory_plan not in capture.PLANS:
            self._graphs = None  # which would read weights where they were before
        vae, unet = self.pipe.vae, self.pipe.unet
        adapters = []
        if self.turbo is not None:
            self.turbo.switch_off()
            if self.memory_plan == "offload":
                self.turbo.give_up_weights()
            if not self.turbo.is_fused:
                adapters.append(self.turbo)
        for module in (vae, unet, *adapters, *self.controlnets.loaded.values()):
            self._place(module, visits=self.memory_plan == "offload")
        for encoder in self._encoders:
            self._place(encoder, visits=self.memory_plan != "resident")
        if vae.dtype != unet.dtype:  # a run was cancelled while the VAE worked in float32
            vae.to(dtype=unet.dtype)
        if self.memory_plan in ("tiled_vae", "offload"):
            # SDXL's own tiles are 1024 pixels, which leaves a picture of 1024 whole.
            vae.enable_tiling()
            vae.tile_sample_min_size = _VAE_TILE
            vae.tile_latent_min_size = _VAE_TILE // 2 ** (len(vae.config.block_out_channels) - 1)
        else:
            vae.disable_tiling()
        device.release_memory(self.device)
        self._placed = self.memory_plan

    def _place(self, module: torch.nn.Module, visits: bool) -> None:
        if visits:
            self._placement.send_away(module)
        else:
            self._placement.keep(module)

    def _on_device(self, *modules: torch.nn.Module | None) -> AbstractContextManager[None]:
        """Have modules on the device for the block, where the memory plan is `offload`."""
        if self.memory_plan != "offload":
            return nullcontext()
        return self._placement.visit(*(module for module in modules if module is not None))

    def _encoders_on_device(self) -> AbstractContextManager[None]:
        """Have the text encoders on the device for the block, unless they stay there."""
        if self.memory_plan == "resident":
            return nullcontext()
        return self._placement.visit(*self._encoders)

    def _make_room(self, keep: ControlNetKind | None) -> bool:
        """Make room for another attempt. Return False where nothing is left to give up.

        Evicts the ControlNets that the picture does not need, which takes no speed from it; then
        gives up the graphs, then turbo's own weights, which graphs may read; then goes on with a
        smaller memory plan, the fastest that fits into what is left by now.
        """
        evicted = False
        if self.memory_plan != "offload":
            while self.controlnets.evict(keep):
                evicted = True
        device.release_memory(self.device)
        if evicted:
            log.warning("out of memory; once more without the other ControlNet")
            return True
        if self._graphs is not None:
            self._graphs = None
            device.release_memory(self.device)
            log.warning("out of memory; once more without CUDA graphs, and so from now on")
            return True
        if self.turbo is not None and self.turbo.is_fused:
            self.turbo.give_up_weights()
            device.release_memory(self.device)
            log.warning("out of memory; once more without weights of its own for turbo")
            return True
        before, room = self.memory_plan, device.measure_room(self.device)
        smaller = step_down(before, room, self._needs, controlled=keep is not None)
        if smaller is None:
            return False
        self._recovery.give_up(before)
        self.memory_plan = smaller
        if self._compiled is not None and smaller not in compilation.PLANS:
            self._compiled.drop()
            self._compiled = None
        log.warning(
            "out of memory with the memory plan %s; once more with %s: %s",
            before,
            smaller,
            PLANS[smaller],
        )
        return True

    def _take_up_again(self) -> None:
        """Go back to a faster memory plan, where memory ran out and there is room by now."""
        if not self._recovery.is_due:
            return
        before, room = self.memory_plan, device.measure_room(self.device)
        loaded = len(self.controlnets.loaded)
        self.memory_plan = self._recovery.choose(before, room, self._needs, loaded)
        if self.memory_plan != before:
            log.info(
                "%s could be had on the device for some pictures: memory plan %s again: %s",
                format_gib(room),
                self.memory_plan,
                PLANS[self.memory_plan],
            )

    def _explain_out_of_memory(self, reason: str) -> EngineError:
        """Make the error for a picture for which no memory plan is small enough."""
        free = format_gib(device.measure_free_memory(self.device))
        return EngineError(
            f"out of memory on {self.device.title} ({reason}), at last with the memory plan"
            f" {self.memory_plan} ({PLANS[self.memory_plan]}); {free} is free now: end what"
            f" else uses it, raise {MEMORY_FRACTION} where it is set, or take a larger device"
        )

    def _compile_blocks(self, stages: Stages, snapshot: Path | None) -> CompiledBlocks | None:
        """Compile blocks if the options say so and the memory plan does not move networks.

        snapshot: its folder, where compiled code is kept.
        """
        backend = self.options.compile
        if backend is None:
            return None
        if self.memory_plan not in compilation.PLANS:
            log.warning(
                "%s: nothing is compiled with the memory plan %s, which moves the networks or cuts"
                " pictures into tiles; take a larger card, or set it to 0",
                COMPILE,
                self.memory_plan,
            )
            return None
        with stages(f"compile with {backend}"):
            kept = None if snapshot is None else CompiledCode(snapshot, self.device)
            return CompiledBlocks(self.pipe, self.device, self.options, kept)

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
            "memory_plan": self.memory_plan,
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
