"""Lists the modules of a base model that an adapter may change, by its tensors.

Modules go by the names that diffusers gives them, with `_` for `.`, which is what kohya's names
keep of them: `down_blocks_1_attentions_0_proj_in`.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from plitka.weights.header import Shape, Shapes


class Target(NamedTuple):
    """One module: a Linear or a convolution, weight (out, in, …), a norm, weight (channels), or an
    embedding, weight (tokens or places, width).

    bias: whether it has one, (out).
    """

    weight: Shape
    bias: bool


Modules: TypeAlias = Mapping[str, Mapping[str, Target]]
"""Component (unet, text_encoder, text_encoder_2) -> module -> what it is."""

_COMPONENTS = ("unet", "text_encoder", "text_encoder_2")


def list_modules(shapes: Mapping[str, Shapes]) -> Modules:
    """List the modules of a base model. shapes: by component, with diffusers' names."""
    return {component: _list_component(shapes[component]) for component in _COMPONENTS}


def _list_component(shapes: Shapes) -> Mapping[str, Target]:
    weights: dict[str, Shape] = {}
    biases: set[str] = set()
    for name, shape in shapes.items():
        module, _, kind = name.removeprefix("text_model.").replace(".", "_").rpartition("_")
        if len(shape) not in (1, 2, 4):
            continue
        if kind == "bias":
            biases.add(module)
        elif kind == "weight":
            weights[module] = shape
    return {name: Target(shape, name in biases) for name, shape in weights.items()}
