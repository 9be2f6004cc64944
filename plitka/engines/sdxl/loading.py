"""Loads what the sdxl engine draws with: networks on their device, LoRA fused, embeddings added."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers.utils import logging as transformers_logging

from plitka.engines.sdxl import device
from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.lora import LoraAdapter, fuse_lora
from plitka.engines.sdxl.memory_plan import (
    MemoryPlan,
    Needs,
    choose_plan,
    compute_model_needs,
    describe_plan,
)
from plitka.engines.sdxl.options import Options, SdxlSettings
from plitka.errors import WeightsError, extract_first_line
from plitka.request.controlnet import ControlNetKind
from plitka.request.prompt import DEFAULT_TRIGGER, Subject
from plitka.runtime.timing import Stages, log
from plitka.weights import archive, models, preflight
from plitka.weights.adapter_files import Package
from plitka.weights.embeddings import Embeddings
from plitka.weights.hub import MODEL, Remote, fetch_remote, find_source
from plitka.weights.models import Base, Model
from plitka.weights.resolved import Resolved, fetch_weights
from plitka.weights.settings import CONTROLNET_SETTINGS, WeightsSettings

_CLASSES: dict[str, Any] = {
    "unet": diffusers.UNet2DConditionModel,
    "vae": diffusers.AutoencoderKL,
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
    "controlnet": diffusers.ControlNetModel,
}


@dataclass(frozen=True)
class Loaded:
    """What the engine draws with, and how it fits into the device's memory."""

    pipe: Any  # the text-to-image pipeline
    subject: Subject  # whose tokens the tokenizers and encoders know
    device: Device
    memory_plan: MemoryPlan
    needs: Needs
    controlnets: Mapping[str, str]  # kind -> folder or repository
    options: Options
    turbo: LoraAdapter | None  # switched on for the quality `turbo`
    turbo_scheduler: Any
    stages: Stages  # of setup(), so far


def load(settings: SdxlSettings, source: Path | str | None) -> Loaded:
    """Do all that setup() does. Raises EngineError; faults of the files come before any loading.

    source: the folder, archive or file that setup() was given as weights.
    """
    quiet_libraries()
    chosen = device.choose_device(settings.memory_fraction)
    chosen = replace(chosen, dtype=settings.dtype or chosen.dtype)
    stages = Stages(lambda: device.describe_memory(chosen))
    with archive.open_package(source) as package:
        weights = resolve_weights(settings.weights, package, stages)
        device.limit_memory(chosen, settings.options.tf32)
        needed = compute_model_needs(weights.base, weights.vae, weights.turbo, chosen.dtype)
        memory_plan = choose_plan(chosen, device.measure_free_memory(chosen), needed)
        log.info("%s; %s", device.describe(chosen), describe_plan(memory_plan, needed))
        place = "cpu" if memory_plan == "offload" else chosen.name
        pipe = assemble(weights, chosen, place, stages)
        for network in (pipe.unet, pipe.vae):
            set_memory_format(network, chosen, settings.options)
        turbo = None
        if weights.turbo is not None:
            with stages("load turbo LoRA"):
                turbo = LoraAdapter(pipe.unet, weights.turbo, place)
    return Loaded(
        pipe=pipe,
        subject=make_subject(weights),
        device=chosen,
        memory_plan=memory_plan,
        needs=needed,
        controlnets=weights.settings.controlnets,
        options=settings.options,
        turbo=turbo,
        turbo_scheduler=_make_turbo_scheduler(pipe.scheduler),
        stages=stages,
    )


def resolve_weights(settings: WeightsSettings, package: Package, stages: Stages) -> Resolved:
    """Find, check and fetch every part of the model. Raises WeightsError with all faults."""
    with stages("check weights"):
        found = preflight.inspect(settings, package)
        preflight.refuse_faults(found)
    with stages("fetch weights"):
        return fetch_weights(found)


def assemble(weights: Resolved, chosen: Device, place: str, stages: Stages) -> Any:
    """Load the text-to-image pipeline, fuse the LoRA into it and add the embeddings' tokens."""
    with stages("load base model"):
        pipe = _load_base(weights, place, _to_torch_dtype(chosen.dtype))
    if weights.lora is not None:
        with stages("fuse LoRA"):
            fuse_lora(pipe, weights.lora, weights.settings.lora_scale)
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


def _to_torch_dtype(name: str) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def _load_base(weights: Resolved, place: str, dtype: torch.dtype) -> Any:
    base = weights.base
    vae = None if weights.vae is None else _load_model("vae", weights.vae, place, dtype)
    if base.models:
        pipe = _load_folder(base, vae, place, dtype)
    else:
        pipe = _load_checkpoint(base, weights.configs, vae, place, dtype)
    pipe.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(
        pipe.scheduler.config, algorithm_type="dpmsolver++", use_karras_sigmas=True
    )
    for part in _CLASSES.keys() & pipe.components.keys():
        _detach_from_file(pipe.components[part])
    return pipe


def _detach_from_file(network: torch.nn.Module) -> None:
    """Copy weights that are mapped from a file: a change of the file would change them, and a
    truncated one would end the process.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()


def _make_turbo_scheduler(scheduler: Any) -> Any:
    """The scheduler of SDXL-Lightning; Hyper-SD's DDIM without noise takes the same steps."""
    return diffusers.EulerDiscreteScheduler.from_config(
        scheduler.config, timestep_spacing="trailing", use_karras_sigmas=False
    )


def _load_folder(base: Base, vae: Any, place: str, dtype: torch.dtype) -> Any:
    components: dict[str, Any] = {
        name: _load_model(name, model, place, dtype) for name, model in base.models.items()
    }
    for name in ("tokenizer", "tokenizer_2"):
        components[name] = _explain_failure(
            base.path / name,
            partial(transformers.CLIPTokenizer.from_pretrained, base.path / name),
        )
    components["scheduler"] = diffusers.EulerDiscreteScheduler.from_pretrained(
        base.path, subfolder="scheduler"
    )
    if vae is not None:
        components["vae"] = vae
    return diffusers.StableDiffusionXLPipeline(**components, add_watermarker=False)


def _load_checkpoint(
    base: Base, configs: Path | None, vae: Any, place: str, dtype: torch.dtype
) -> Any:
    replaced = {} if vae is None else {"vae": vae}
    pipe = _explain_failure(
        base.path,
        lambda: diffusers.StableDiffusionXLPipeline.from_single_file(
            str(base.path), config=str(configs), dtype=dtype, add_watermarker=False, **replaced
        ),
    )
    for name, module in pipe.components.items():
        if isinstance(module, torch.nn.Module):
            if any(parameter.is_meta for parameter in module.parameters()):
                raise WeightsError(
                    f"{base.path}: lacks weights of its {name}; download the whole checkpoint again"
                )
            module.to(place).eval().requires_grad_(False)
    return pipe


def _load_model(part: str, model: Model, place: str, dtype: torch.dtype) -> Any:
    """Load one network straight onto its device. Raises WeightsError where weights are lacking."""
    network, report = _explain_failure(
        model.folder,
        lambda: _CLASSES[part].from_pretrained(
            model.folder,
            variant=model.variant,
            dtype=dtype,
            use_safetensors=True,
            device_map=place,
            output_loading_info=True,
        ),
    )
    lacking = sorted(report["missing_keys"])
    if lacking:
        raise WeightsError(
            f"{model.folder}: its weights lack {len(lacking)} tensors of the model, {lacking[0]}"
            " among them; copy or download the folder again"
        )
    network.eval().requires_grad_(False)
    return network


def _explain_failure(path: Path, load: Callable[[], Any]) -> Any:
    """Call `load`; its errors become a WeightsError with the path of the files."""
    try:
        return load()
    except NotImplementedError as error:  # torch cannot move a tensor that has no data yet
        raise WeightsError(
            f"{path}: its weights lack tensors of the model that its config.json describes; copy"
            " or download the folder again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if device.is_out_of_memory(error):
            raise
        raise WeightsError(
            f"{path}: cannot be loaded ({extract_first_line(error)}); copy or download it again"
        ) from error


def load_controlnet(kind: ControlNetKind, text: str, chosen: Device, place: str) -> Any:
    """Load one ControlNet, and fetch it from the hub where it is not here yet."""
    setting = CONTROLNET_SETTINGS[kind]
    with Stages(lambda: device.describe_memory(chosen))(f"load ControlNet {kind}"):
        source = find_source(text, setting, MODEL)
        folder = fetch_remote(source, setting) if isinstance(source, Remote) else source
        model = models.check_controlnet(folder, setting)
        network = _load_model("controlnet", model, place, _to_torch_dtype(chosen.dtype))
        _detach_from_file(network)
        return network


def set_memory_format(network: Any, chosen: Device, options: Options) -> None:
    """Set the memory format (channels last) in which the device convolves fastest."""
    if chosen.kind == "cuda" and options.channels_last:
        network.to(memory_format=torch.channels_last)


def _load_embeddings(pipe: Any, embeddings: Embeddings, tokens: Sequence[str]) -> None:
    """Add the tokens to both tokenizers, and their vectors to both text encoders."""
    encoders = {
        "clip_l": (pipe.text_encoder, pipe.tokenizer),
        "clip_g": (pipe.text_encoder_2, pipe.tokenizer_2),
    }
    for half, vectors in embeddings.halves.items():
        encoder, tokenizer = encoders[half]
        if set(tokens) & set(tokenizer.get_vocab()):
            raise WeightsError(
                f"{vectors.title}: the base model has embeddings of its own for {tokens[0]}; take"
                " another base model, or set PLITKA_EMBEDDINGS=none"
            )
        with safe_open(vectors.path, "pt") as file:
            tensor: Tensor = file.get_tensor(vectors.tensor).to(encoder.device, encoder.dtype)
        if not torch.isfinite(tensor).all():
            raise WeightsError(
                f"{vectors.title}: {vectors.tensor} holds NaN or inf; train it again"
            )
        pipe.load_textual_inversion(
            list(tensor.reshape(len(tokens), -1)),
            token=list(tokens),
            text_encoder=encoder,
            tokenizer=tokenizer,
        )
