"""Loads what the sdxl engine draws with: networks on their device, LoRA fused, embeddings added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from torch import Tensor
from transformers.utils import logging as transformers_logging

from plitka.engines.sdxl import architecture, device
from plitka.engines.sdxl.architecture import build_network, load_tokenizer
from plitka.engines.sdxl.consistency import ConsistencySampler
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.device_choice import choose_device
from plitka.engines.sdxl.lora import fuse_lora
from plitka.engines.sdxl.memory_plan import (
    MemoryPlan,
    Needs,
    choose_plan,
    compute_model_needs,
    describe_plan,
)
from plitka.engines.sdxl.network_reading import count_bytes, read_tensors
from plitka.engines.sdxl.options import Options, SdxlSettings
from plitka.engines.sdxl.text_keys import keep_text_keys
from plitka.engines.sdxl.turbo import TurboLora
from plitka.engines.sdxl.turbo_preset import list_presets
from plitka.request.controlnet import ControlNetKind
from plitka.request.presets import Preset
from plitka.request.prompt import DEFAULT_TRIGGER, Subject
from plitka.request.recipe import Quality
from plitka.runtime.timing import Stages, log
from plitka.weights import archive, models, preflight
from plitka.weights.adapter_files import Package
from plitka.weights.embeddings import Embeddings
from plitka.weights.hub import MODEL, Remote, fetch_remote, find_source
from plitka.weights.lora_scale import LoraScale
from plitka.weights.models import Model
from plitka.weights.noise import Noise
from plitka.weights.preflight import Preflight
from plitka.weights.resolved import Resolved, fetch_weights
from plitka.weights.sdxl_architecture import NOISE_SCHEDULE, Config
from plitka.weights.settings import CONTROLNET_SETTINGS, WeightsSettings
from plitka.weights.snapshot import find_snapshot
from plitka.weights.turbo_kind import TurboKind

_TCD_GAMMA = 0.3  # "a value of 0.3 often yields good results", says its card


@dataclass(frozen=True)
class Loaded:
    """What the engine draws with, and how it fits into the device's memory."""

    pipe: Any  # the text-to-image pipeline
    subject: Subject  # whose tokens the tokenizers and encoders know
    lora_scale: LoraScale | None
    device: Device
    memory_plan: MemoryPlan
    needs: Needs
    controlnets: Mapping[str, str]  # kind -> folder, file or repository
    options: Options
    turbo: TurboLora | None  # switched on for the quality `turbo`
    turbo_scheduler: Any
    presets: Mapping[Quality, Preset]
    stages: Stages  # of setup(), so far
    snapshot: Path | None = None  # the folder of the one that the base is, if it is one


def load(settings: SdxlSettings, source: Path | str | None, stages: Stages | None = None) -> Loaded:
    """Load all but the ControlNets. Raises EngineError; faults of files come before any loading.

    source: the folder, archive, file or address that setup() was given as weights. stages: of
    setup(), so far.
    """
    quiet_libraries()
    chosen = choose_device(settings.memory_fraction, settings.device)
    chosen = replace(chosen, dtype=settings.dtype or chosen.dtype)
    stages = stages or Stages()
    stages.memory = lambda: device.describe_memory(chosen)
    baked = find_snapshot(settings.weights)
    with archive.open_package(source, settings.weights.cache) as package:
        weights = resolve_weights(settings.weights, package, stages)
        device.limit_memory(chosen)
        device.set_tf32(chosen, False)  # what is fused is the same as what is baked on a CPU
        needed = compute_model_needs(weights.base, weights.vae, weights.turbo, chosen.dtype)
        free = device.measure_free_memory(chosen)
        memory_plan = choose_plan(chosen, free, needed)
        log.info("%s; %s", device.describe(chosen), describe_plan(memory_plan, needed, free))
        place = "cpu" if memory_plan == "offload" else chosen.name
        # What is fused in the files' order is the same as what is baked on a CPU.
        fused_first = weights.lora is not None
        in_order = wants_channels_last(chosen, settings.options) and not fused_first
        pipe = assemble(weights, chosen, place, stages, channels_last=in_order)
        if fused_first:
            for network in (pipe.unet, pipe.vae):
                set_memory_format(network, chosen, settings.options)
        turbo, kind = None, weights.turbo_kind
        if weights.turbo is not None and kind is not None:
            log.info("turbo LoRA %s: %s", weights.turbo.title, kind.describe())
            with stages("load turbo LoRA"):
                fused = needed.leaves_turbo_room(memory_plan, free)
                turbo = TurboLora(pipe.unet, weights.turbo, fused)
        device.set_tf32(chosen, settings.options.tf32)
    return Loaded(
        pipe=pipe,
        subject=make_subject(weights),
        lora_scale=weights.lora_scale,
        device=chosen,
        memory_plan=memory_plan,
        needs=needed,
        controlnets=weights.settings.controlnets,
        options=settings.options,
        turbo=turbo,
        turbo_scheduler=make_turbo_scheduler(pipe.scheduler, kind),
        presets=list_presets(kind),
        stages=stages,
        snapshot=None if baked is None else baked.folder,
    )


def resolve_weights(settings: WeightsSettings, package: Package, stages: Stages) -> Resolved:
    """Find, check and fetch every part of the model. Raises WeightsError with all faults."""
    with stages("check weights"):
        found = preflight.inspect(settings, package, architecture, DEFAULT_TRIGGER)
        preflight.refuse_faults(found)
    _log_prompt(found)
    with stages("fetch weights"):
        return fetch_weights(found, architecture)


def _log_prompt(found: Preflight) -> None:
    """Log the trigger word, and what may make pictures other than is wanted."""
    for finding in found.findings:
        if finding.warning:
            log.warning("%s: %s", finding.part, finding.verdict)
        elif finding.part == "trigger":
            log.info("trigger: %s", finding.verdict)


def assemble(
    weights: Resolved, chosen: Device, place: str, stages: Stages, channels_last: bool = False
) -> Any:
    """Load the text-to-image pipeline, fuse the LoRA into it and add the embeddings' tokens.

    place: a torch device. channels_last: the memory format of UNet and VAE.
    """
    pipe = _load_base(weights, place, to_torch_dtype(chosen.dtype), stages, channels_last)
    if weights.lora is not None:
        with stages("fuse LoRA", weights.lora.path.stat().st_size):
            scale = weights.lora_scale
            assert scale is not None
            fuse_lora(pipe, weights.lora, scale.value)
        log.info("%s fused at %s", weights.lora.title, scale.describe())
    if weights.embeddings is not None:
        with stages("load embeddings"):
            _load_embeddings(pipe, weights.embeddings, make_subject(weights).tokens)
    return pipe


def make_subject(weights: Resolved) -> Subject:
    """What prompts for these weights begin with."""
    return Subject(weights.trigger or DEFAULT_TRIGGER, weights.vectors)


def quiet_libraries() -> None:
    """Silence the libraries' own messages on loading; the stages log it."""
    quiet: Any = transformers_logging  # partly typed
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()


def to_torch_dtype(name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _load_base(
    weights: Resolved, place: str, dtype: torch.dtype, stages: Stages, channels_last: bool
) -> Any:
    base = weights.base
    assert base.tokenizers is not None
    networks = {**base.models} if weights.vae is None else {**base.models, "vae": weights.vae}
    components: dict[str, Any] = {}
    for part, model in networks.items():
        is_of_images = part in ("unet", "vae")
        with stages(f"load {part}", count_bytes(model.tensors)):
            components[part] = load_network(model, place, dtype, channels_last and is_of_images)
    with stages("load tokenizers"):
        first, second = base.tokenizers / "tokenizer", base.tokenizers / "tokenizer_2"
        components["tokenizer"] = load_tokenizer("text_encoder", first)
        components["tokenizer_2"] = load_tokenizer("text_encoder_2", second)
    components["scheduler"] = make_scheduler(base.noise)
    return diffusers.StableDiffusionXLPipeline(**components, add_watermarker=False)


def make_scheduler(noise: Noise) -> Any:
    """Make the sampler of all qualities but `turbo`: DPM-Solver++, with Karras' noise levels.

    A model whose noisiest step is noise alone starts there, with the noise levels that it was
    trained on: Karras' would spend most steps between them and infinity. What is not the model's is
    the same for every model, whatever its scheduler's file says.
    """
    return diffusers.DPMSolverMultistepScheduler(
        **NOISE_SCHEDULE,
        algorithm_type="dpmsolver++",
        prediction_type=noise.prediction,
        rescale_betas_zero_snr=noise.is_zero_terminal,
        use_karras_sigmas=not noise.is_zero_terminal,
        timestep_spacing="trailing" if noise.is_zero_terminal else "leading",
        steps_offset=1,
    )


def make_turbo_scheduler(scheduler: Any, kind: TurboKind | None = None) -> Any:
    """The scheduler that a distilled LoRA was made for; SDXL-Lightning's for none.

    Hyper-SD's is DDIM, which without noise of its own takes Euler's steps, but the last one ends at
    the least noise level in place of none. diffusers' own would wait for the device in each step.
    So would its LCMScheduler, which LCM and DMD2 are drawn with, and its TCDScheduler.
    """
    family = None if kind is None else kind.family
    last = "sigma_min" if family in ("Hyper-SD", "TCD") else "zero"
    euler = diffusers.EulerDiscreteScheduler.from_config(
        scheduler.config,
        timestep_spacing="trailing",
        use_karras_sigmas=False,
        final_sigmas_type=last,
    )
    if family == "TCD":
        return ConsistencySampler(euler, gamma=_TCD_GAMMA)
    if family in ("LCM", "DMD2"):
        return ConsistencySampler(euler, trailing=family == "DMD2")
    return euler


def load_network(model: Model, place: str, dtype: torch.dtype, channels_last: bool = False) -> Any:
    """Load one network straight onto its device.

    channels_last: the memory format of its convolutions. Nothing of it stays mapped from its files:
    a change of a file would change the weights, and a truncated one would end the process.
    """
    network = build_network(model.part, model.config)
    tensors = read_tensors(model.tensors, model.shapes, place, dtype, channels_last)
    network.load_state_dict(tensors, strict=False, assign=True)  # buffers are not in files
    network.to(place).eval().requires_grad_(False)
    if model.part in ("unet", "controlnet"):
        keep_text_keys(network)
    return network


def load_controlnet(
    kind: ControlNetKind,
    text: str,
    unet: Config,
    chosen: Device,
    place: str,
    stages: Stages | None = None,
    channels_last: bool = False,
) -> Any:
    """Load one ControlNet, and fetch it from the hub where it is not here yet.

    text: what its setting says. unet: the configuration of the UNet that it is for. stages: of
    which it is one, None for none. channels_last: the memory format of its convolutions.
    """
    setting = CONTROLNET_SETTINGS[kind]
    stages = stages or Stages(lambda: device.describe_memory(chosen))
    source = find_source(text, setting, MODEL)
    if isinstance(source, Remote):
        with stages(f"fetch ControlNet {kind}", source.missing_bytes):
            source = fetch_remote(source, setting)
    model = models.check_controlnet(source, setting, architecture, unet)
    with stages(f"load ControlNet {kind}", count_bytes(model.tensors)):
        return load_network(model, place, to_torch_dtype(chosen.dtype), channels_last)


def wants_channels_last(chosen: Device, options: Options) -> bool:
    """Whether the device convolves fastest with images' channels last in memory."""
    return chosen.kind == "cuda" and options.channels_last


def set_memory_format(network: Any, chosen: Device, options: Options) -> None:
    """Set the memory format (channels last) in which the device convolves fastest."""
    if wants_channels_last(chosen, options):
        network.to(memory_format=torch.channels_last)


def _load_embeddings(pipe: Any, embeddings: Embeddings, tokens: Sequence[str]) -> None:
    """Add the tokens to both tokenizers, and their vectors to both text encoders."""
    encoders = {
        "clip_l": (pipe.text_encoder, pipe.tokenizer),
        "clip_g": (pipe.text_encoder_2, pipe.tokenizer_2),
    }
    for half, vectors in embeddings.halves.items():
        encoder, tokenizer = encoders[half]
        with safe_open(vectors.path, "pt") as file:
            tensor: Tensor = file.get_tensor(vectors.tensor).to(encoder.device, encoder.dtype)
        pipe.load_textual_inversion(
            list(tensor.reshape(len(tokens), -1)),
            token=list(tokens),
            text_encoder=encoder,
            tokenizer=tokenizer,
        )
