"""What a training is of: two states belong together where all of this is equal."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from plitka.errors import TrainingError
from plitka.training.inspection import Inspection
from plitka.training.options import TrainingOptions
from plitka.training.sdxl.networks import Networks

_FREE = ("minutes", "evaluate_every")  # that may be others when a training goes on


def describe_training(
    inspection: Inspection, options: TrainingOptions, networks: Networks, steps: int, size: int
) -> dict[str, Any]:
    """Describe all that a training depends on, in JSON's types."""
    asked = {name: value for name, value in asdict(options).items() if name not in _FREE}
    return {
        **asked,
        "steps": steps,
        "resolution": size,
        "photographs": _hash_photographs(inspection),
        "base model": _hash_base(networks),
    }


def hash_description(described: Mapping[str, Any]) -> str:
    """Hash what `describe_training` gives, as the mark of what was made for a training."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def refuse_another(before: Mapping[str, Any], now: Mapping[str, Any], folder: str) -> None:
    """Raise TrainingError, which names what differs, unless both are of one training."""
    differing = [name for name in now if before.get(name) != now[name]]
    if not differing:
        return
    told = [
        f"{name} (then {before.get(name)}, now {now[name]})"
        if isinstance(now[name], int | float | bool)
        else name
        for name in differing
    ]
    raise TrainingError(
        f"{folder}: its training began with another {', another '.join(told)}; give the same as"
        " then, or train anew in another folder"
    )


def _hash_photographs(inspection: Inspection) -> str:
    used = [
        (one.name, one.digest, [color.hex for color in one.colors], one.shares, round(one.scale, 6))
        for one in inspection.photographs
    ]
    content = json.dumps([used, inspection.held_out])
    return hashlib.sha256(content.encode()).hexdigest()


def _hash_base(networks: Networks) -> str:
    """Hash some tensors of each network: enough to tell models apart, and quick."""
    pipe = networks.pipe
    digest = hashlib.sha256()
    for tensor in (
        pipe.unet.conv_in.weight,
        pipe.unet.conv_out.weight,
        pipe.unet.time_embedding.linear_1.weight,
        pipe.vae.encoder.conv_in.weight,
        *(encoder.get_input_embeddings().weight[:1000] for _, encoder in networks.encoders),
    ):
        digest.update(tensor.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()
