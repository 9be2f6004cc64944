"""What the sdxl engine draws with: checked, fetched, loaded, and the LoRA fused into it."""

from collections.abc import Callable, Mapping
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
from plitka.errors import WeightsError
from plitka.request.controlnet import ControlNetKind
from plitka.runtime.timing import Stages, log
from plitka.weights import archive, lora_keys, models, preflight
from plitka.weights.hub import MODEL, Remote, fetch_remote, find_source
from plitka.weights.lora_targets import list_modules
from plitka.weights.models import Base, Model
from plitka.weights.preflight import Inventory
from plitka.weights.settings import CONTROLNET_SETTINGS, TOKENS

_CLASSES: dict[str, Any] = {
    "unet": diffusers.UNet2DConditionModel,
    "vae": diffusers.AutoencoderKL,
    "text_encoder": transformers.CLIPTextModel,
    "text_encoder_2": transformers.CLIPTextModelWithProjection,
    "controlnet": diffusers.ControlNetModel,
}


@dataclass(frozen=True)
class Loaded:
    """pipe: the text-to-image pipeline, whose modules all others share."""

    pipe: Any
    tokens: bool  # whether the tokenizers and encoders know <s0> and <s1>
    device: Device
    memory_plan: MemoryPlan
    needs: Needs
    controlnets: Mapping[str, str]  # kind -> folder or repository
    savings: Options
    turbo: LoraAdapter | None  # switched on for the quality `turbo`
    turbo_scheduler: Any
    stages: Stages  # of setup(), so far


def load(settings: SdxlSettings, packed: Path | str | None) -> Loaded:
    """All that setup() does. Raises EngineError, with every fault of the files before it loads."""
    quiet_libraries()
    switches = settings.options
    chosen = device.choose_device(settings.memory_fraction)
    chosen = replace(chosen, dtype=settings.dtype or chosen.dtype)
    stages = Stages(lambda: device.describe_memory(chosen))
    with archive.open_package(packed) as given:
        with stages("check weights"):
            held = preflight.inspect(settings.weights, given)
            refuse_faults(held)
        with stages("fetch weights"):
            vae = fetch_weights(held)
        device.limit_memory(chosen, switches.tf32)
        needed = compute_model_needs(held, chosen)
        memory_plan = choose_plan(chosen, device.free_memory(chosen), needed)
        log.info("%s; %s", device.describe(chosen), describe_plan(memory_plan, needed))
        place = "cpu" if memory_plan == "offload" else chosen.name
        pipe = assemble(held, vae, chosen, place, stages)
        for network in (pipe.unet, pipe.vae):
            set_memory_format(network, chosen, switches)
        turbo = None
        if held.turbo is not None:
            with stages("load turbo LoRA"):
                turbo = LoraAdapter(pipe.unet, held.turbo, place)
    return Loaded(
        pipe=pipe,
        tokens=held.tokens,
        device=chosen,
        memory_plan=memory_plan,
        needs=needed,
        controlnets=held.settings.controlnets,
        savings=switches,
        turbo=turbo,
        turbo_scheduler=_turbo_scheduler(pipe.scheduler),
        stages=stages,
    )


def assemble(held: Inventory, vae: Model | None, chosen: Device, place: str, stages: Stages) -> Any:
    """The text-to-image pipeline of what was found, with LoRA and embeddings in it."""
    with stages("load base model"):
        pipe = _load_base(held, vae, place, _dtype(chosen))
    if held.lora is not None:
        with stages("fuse LoRA"):
            fuse_lora(pipe, held.lora, held.settings.lora_scale)
    if held.embeddings_path is not None:
        with stages("load embeddings"):
            _embed(pipe, held.embeddings_path, held.embeddings)
    return pipe


def quiet_libraries() -> None:
    """What the libraries say of their loading; the stages' own lines tell it."""
    quiet: Any = transformers_logging  # partly typed
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()


def refuse_faults(held: Inventory) -> None:
    """Raise all faults in one error; without a base model there is another engine to choose."""
    if not held.faults:
        return
    lines = held.faults
    if held.checked_base is None and not isinstance(held.base, Remote):
        lines.append(
            "To draw tiles without a diffusion model: PLITKA_ENGINE=render, or --engine render on"
            " the command line"
        )
    raise WeightsError("\n".join(lines))


def fetch_weights(held: Inventory) -> Model | None:
    """Fetch what is not here yet, and check it. Gives the VAE, unless it is the base model's."""
    if isinstance(held.base, Remote):
        held.base = fetch_remote(held.base, "PLITKA_BASE")
        preflight.check_base(held, held.base)
        refuse_faults(held)
        if held.lora is not None and held.checked_base is not None:
            lora_keys.resolve_lora(held.lora.path, list_modules(held.checked_base))
        if held.turbo is not None and held.checked_base is not None:
            preflight.check_turbo(held.turbo.path, list_modules(held.checked_base))
    if isinstance(held.configs, Remote):
        held.configs = fetch_remote(held.configs, "PLITKA_BASE")
    if isinstance(held.vae, Remote):
        held.vae = fetch_remote(held.vae, "PLITKA_VAE")
    return None if held.vae is None else models.check_vae(held.vae)


def _dtype(chosen: Device) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, chosen.dtype)
    return dtype


# The base model


def _load_base(held: Inventory, vae: Model | None, place: str, dtype: torch.dtype) -> Any:
    base = held.checked_base
    assert base is not None
    own = None if vae is None else _load_model("vae", vae, place, dtype)
    if base.models:
        pipe = _from_folder(base, own, place, dtype)
    else:
        pipe = _from_checkpoint(base, held.configs, own, place, dtype)
    pipe.scheduler = diffusers.DPMSolverMultistepScheduler.from_config(
        pipe.scheduler.config, algorithm_type="dpmsolver++", use_karras_sigmas=True
    )
    for part in _CLASSES.keys() & pipe.components.keys():
        _detach_from_file(pipe.components[part])
    return pipe


def _detach_from_file(network: torch.nn.Module) -> None:
    """Let go of the file: mapped weights change with it, and end the process where it is cut."""
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.device.type == "cpu":
            tensor.data = tensor.data.clone()


def _turbo_scheduler(scheduler: Any) -> Any:
    """What SDXL-Lightning asks for; Hyper-SD's DDIM without noise takes the same steps."""
    return diffusers.EulerDiscreteScheduler.from_config(
        scheduler.config, timestep_spacing="trailing", use_karras_sigmas=False
    )


def _from_folder(base: Base, vae: Any, place: str, dtype: torch.dtype) -> Any:
    parts: dict[str, Any] = {
        name: _load_model(name, model, place, dtype) for name, model in base.models.items()
    }
    for name in ("tokenizer", "tokenizer_2"):
        parts[name] = _explain_failure(
            base.path / name,
            partial(transformers.CLIPTokenizer.from_pretrained, base.path / name),
        )
    parts["scheduler"] = diffusers.EulerDiscreteScheduler.from_pretrained(
        base.path, subfolder="scheduler"
    )
    if vae is not None:
        parts["vae"] = vae
    return diffusers.StableDiffusionXLPipeline(**parts, add_watermarker=False)


def _from_checkpoint(
    base: Base, configs: Path | Remote | None, vae: Any, place: str, dtype: torch.dtype
) -> Any:
    given = {} if vae is None else {"vae": vae}
    pipe = _explain_failure(
        base.path,
        lambda: diffusers.StableDiffusionXLPipeline.from_single_file(
            str(base.path), config=str(configs), dtype=dtype, add_watermarker=False, **given
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
    network, said = _explain_failure(
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
    lacking = sorted(said["missing_keys"])
    if lacking:
        raise WeightsError(
            f"{model.folder}: its weights lack {len(lacking)} tensors of the model, {lacking[0]}"
            " among them; copy or download the folder again"
        )
    network.eval().requires_grad_(False)
    return network


def _explain_failure(path: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives; a fault of the files that the checks could not see, with their path."""
    try:
        return load()
    except NotImplementedError as error:  # torch's: it cannot move a tensor that got no numbers
        raise WeightsError(
            f"{path}: its weights lack tensors of the model that its config.json describes; copy"
            " or download the folder again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        if device.is_out_of_memory(error):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"{path}: cannot be loaded ({first}); copy or download it again"
        ) from error


def load_controlnet(kind: ControlNetKind, text: str, chosen: Device, place: str) -> Any:
    """Load one ControlNet, from the hub where it is not here yet."""
    setting = CONTROLNET_SETTINGS[kind]
    with Stages(lambda: device.describe_memory(chosen))(f"load ControlNet {kind}"):
        found = find_source(text, setting, MODEL)
        folder = fetch_remote(found, setting) if isinstance(found, Remote) else found
        model = models.check_controlnet(folder, setting)
        network = _load_model("controlnet", model, place, _dtype(chosen))
        _detach_from_file(network)
        return network


def set_memory_format(network: Any, chosen: Device, switches: Options) -> None:
    """Put a network's weights in the order in which the device convolves fastest."""
    if chosen.kind == "cuda" and switches.channels_last:
        network.to(memory_format=torch.channels_last)


def _embed(pipe: Any, path: Path, halves: Mapping[str, str]) -> None:
    """Give both pairs of tokenizer and encoder the tokens <s0> and <s1> with their vectors."""
    encoders = {
        "clip_l": (pipe.text_encoder, pipe.tokenizer),
        "clip_g": (pipe.text_encoder_2, pipe.tokenizer_2),
    }
    with safe_open(path, "pt") as file:
        for half, name in halves.items():
            encoder, tokenizer = encoders[half]
            vectors: Tensor = file.get_tensor(name).to(encoder.device, encoder.dtype)
            if not torch.isfinite(vectors).all():
                raise WeightsError(f"{path}: {name} holds numbers that are none; train it again")
            pipe.load_textual_inversion(
                vectors, token=list(TOKENS), text_encoder=encoder, tokenizer=tokenizer
            )
