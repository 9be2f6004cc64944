"""The algebra of adapters: what each method makes of one weight, in float32.

Each method gives the change at strength 1, the method's own weight less the base's. LyCORIS' and
PEFT's own functions are used where they have one; LyCORIS is imported when a file needs it, which
takes a second.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch
from peft.tuners.boft.layer import BOFTLayer
from peft.tuners.oft.layer import OFTRotationModule
from torch import Tensor

from plitka.weights import adapter_methods
from plitka.weights.lora import Change

_OFT: Any = OFTRotationModule  # without annotations
_BOFT: Any = BOFTLayer

Tensors: TypeAlias = Mapping[str, Tensor]
"""Part -> tensor, in float32."""


def change_weight(change: Change, parts: Tensors, weight: Tensor, scale: float) -> Tensor:
    """A module's weight, moved to the method's own by the scale.

    weight: the base's, in float32; it may be overwritten.
    """
    assert change.method is not None
    magnitudes = _find_magnitudes(parts, weight)
    if change.method == "lora" and magnitudes is None:  # in place, for there are many of these
        down, up = fold_factors(parts, weight)
        factor = scale * compute_factor(change, parts)
        return weight.flatten(1).addmm_(up, down.flatten(1), alpha=factor).reshape(weight.shape)
    added = _METHODS[change.method](change, parts, weight).reshape(weight.shape)
    if magnitudes is not None:
        added = _decompose(weight, added, *magnitudes)
    return weight.add_(added, alpha=scale)


def compute_factor(change: Change, parts: Tensors) -> float:
    """Alpha / rank of one module, 1 where the file knows neither."""
    alpha = parts.get("alpha")
    return change.compute_factor(None if alpha is None else alpha.item())


def fold_factors(parts: Tensors, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Down (rank, in, …) and up (out, rank), with the middle factor of a LoCon inside down."""
    up = parts["up"].flatten(1)
    rank = up.shape[1]
    if "mid" in parts:
        down = torch.einsum("ij...,jr->ir...", parts["mid"], parts["down"].flatten(1))
    else:
        down = parts["down"]
    return down.reshape(rank, *weight.shape[1:]), up


def compute_bias_change(change: Change, parts: Tensors, bias: Tensor) -> Tensor | None:
    """What is added to a module's bias at strength 1; None where the adapter leaves it."""
    if "up_bias" in parts:
        return compute_factor(change, parts) * parts["up_bias"]
    for part in ("diff_b", "b_norm"):
        if part in parts:
            return parts[part]
    if change.method == "peft_ia3" and change.options["axis"] == "outputs":
        return bias * (parts["ia3_l"].flatten() - 1)
    return None


def _compute_lora(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    down, up = fold_factors(parts, weight)
    return (compute_factor(change, parts) * up) @ down.flatten(1)


def _compute_loha(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    from lycoris.functional import loha

    factors = [parts[f"hada_{name}"] for name in ("w1_b", "w1_a", "w2_b", "w2_a")]
    middle = [parts.get("hada_t1"), parts.get("hada_t2")]
    if middle[0] is None:
        factors = [factor.flatten(1) for factor in factors]
    gamma = torch.tensor(compute_factor(change, parts), device=weight.device)
    added: Tensor = loha.diff_weight(*factors, *middle, gamma=gamma, backend="torch")
    return added


def _compute_lokr(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    from lycoris.functional import lokr

    names = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
    halves: dict[str, Tensor | None] = {name: parts.get(f"lokr_{name}") for name in names}
    whole, right = halves["w2"], halves["w2_b"]
    first = halves["w1"] if halves["w1"] is not None else halves["w1_b"]
    assert first is not None
    columns = weight.shape[1] // first.shape[1]
    kernel = weight.shape[2:]
    if whole is not None:  # in the weight's dimensions, for it may be flat in the file
        halves["w2"] = whole.reshape(-1, columns, *kernel)
    elif right is not None and halves["t2"] is None:
        halves["w2_b"] = right.reshape(right.shape[0], columns, *kernel)
        assert halves["w2_a"] is not None
        halves["w2_a"] = halves["w2_a"].flatten(1)
    scale = compute_factor(change, parts)
    added: Tensor = lokr.kron_weight(*halves.values(), scale=scale, backend="torch")
    return added


def _compute_oft(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    """LyCORIS' and kohya's, whose alpha is the constraint; a fourth dimension is a butterfly's."""
    from lycoris.functional import boft, diag_oft

    alpha, rescale = parts.get("alpha"), parts.get("rescale")
    constraint = None if alpha is None else alpha.item() * weight.shape[0]
    if rescale is not None:
        rescale = rescale.reshape(-1, *[1] * (weight.dim() - 1))
    method = diag_oft if parts["oft_blocks"].dim() == 3 else boft
    added: Tensor = method.diff_weight(
        weight, parts["oft_blocks"], rescale, constraint=constraint, backend="torch"
    )
    return added


def _compute_peft_oft(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    """Rotations of blocks of the inputs: y = W (x R), so that a block of W becomes W R^T.

    OneTrainer turns the kernels of a convolution themselves: a block of W becomes W R.
    """
    elements = parts["oft_R"]
    size = adapter_methods.find_oft_size(elements.shape[1])
    inputs = weight.flatten(1)
    blocks, count = elements.shape
    rotation = _OFT(blocks, count, size, inputs.shape[1]).to(weight.device)
    if change.options["eps"] is not None:
        elements = rotation._project_batch(elements, eps=change.options["eps"])
    if "scaled_oft" in parts:
        elements = elements / (2 * math.sqrt(size - 1))
    rotations = rotation._cayley_batch(
        elements, size, change.options["neumann"], change.options["terms"]
    )
    parted = inputs.reshape(len(inputs), -1, size)
    if change.options["turns_kernels"] and weight.dim() > 2:
        rotations = rotations.transpose(1, 2)
    rotations = rotations.expand(parted.shape[1], -1, -1)
    return torch.einsum("onk,nck->onc", parted, rotations).flatten(1) - inputs


def _compute_peft_boft(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    """Rotations in stages, each of blocks of the inputs in another order, then a scale.

    PEFT's layer itself needs a compiled extension for more than one stage, and matrices of the
    inputs' width; its functions do not.
    """
    layer = _BOFT.__new__(_BOFT)
    stages, count, size, _ = parts["boft_R"].shape
    rotations = layer.cayley_batch(parts["boft_R"].flatten(0, 1))
    rotations = rotations.reshape(stages, count, size, size)
    inputs = weight.flatten(1)
    turned = inputs.T
    for stage in range(stages):
        order = layer.block_butterfly_perm(
            count * size, count // 2**stage, size // 2, stages - 1
        ).to(weight.device)
        # P diag(R) P^T, where row i of P holds a one in column order[i].
        sorted_rows = torch.empty_like(turned)
        sorted_rows[order] = turned
        blocks = torch.einsum(
            "nij,njo->nio", rotations[stage], sorted_rows.reshape(count, size, -1)
        )
        turned = blocks.flatten(0, 1)[order]
    return turned.T * parts["boft_s"].reshape(-1, 1) - inputs


def _compute_glora(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    from lycoris.modules.glora import _glora_weight

    shapes = {name: tuple(part.shape) for name, part in parts.items() if name != "alpha"}
    form = adapter_methods.find_glora_form(shapes, tuple(weight.shape))
    names = ("a1", "a2", "b1", "b2") if form == "new" else ("a2", "a1", "b2", "b1")
    factors = [parts[name] for name in names]
    added: Tensor = _glora_weight(weight, *factors, parts.get("bm"), compute_factor(change, parts))
    return added


def _compute_ia3(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    factors = parts["weight"].flatten()
    on_input = bool(parts["on_input"].item())
    if weight.shape[0] != weight.shape[1]:  # where the length alone tells it
        on_input = factors.numel() == weight.shape[1]
    return _scale_axis(weight, factors, 1 if on_input else 0)


def _compute_peft_ia3(change: Change, parts: Tensors, weight: Tensor) -> Tensor:
    axis = 1 if change.options["axis"] == "inputs" else 0
    return _scale_axis(weight, parts["ia3_l"].flatten() - 1, axis)


def _scale_axis(weight: Tensor, factors: Tensor, axis: int) -> Tensor:
    shape = [1] * weight.dim()
    shape[axis] = -1
    return weight * factors.reshape(shape)


def _take_whole(part: str) -> Callable[[Change, Tensors, Tensor], Tensor]:
    return lambda _change, parts, _weight: parts[part]


_METHODS: Mapping[str, Callable[[Change, Tensors, Tensor], Tensor]] = {
    "lora": _compute_lora,
    "loha": _compute_loha,
    "lokr": _compute_lokr,
    "oft": _compute_oft,
    "peft_oft": _compute_peft_oft,
    "peft_boft": _compute_peft_boft,
    "glora": _compute_glora,
    "ia3": _compute_ia3,
    "peft_ia3": _compute_peft_ia3,
    "diff": _take_whole("diff"),
    "norm": _take_whole("w_norm"),
}


def _find_magnitudes(parts: Tensors, weight: Tensor) -> tuple[Tensor, bool] | None:
    """The magnitudes of a DoRA, ready to multiply, and whether they are the outputs'."""
    ones = [1] * (weight.dim() - 2)
    if "magnitude" in parts:
        return parts["magnitude"].reshape(-1, 1, *ones), True
    if "dora_scale" not in parts:
        return None
    scale = parts["dora_scale"]
    on_outputs = adapter_methods.find_dora_axis(tuple(scale.shape), tuple(weight.shape)) == 0
    return scale.reshape(*((-1, 1) if on_outputs else (1, -1)), *ones), on_outputs


def _decompose(weight: Tensor, added: Tensor, magnitudes: Tensor, on_outputs: bool) -> Tensor:
    """DoRA: the changed weight, each output (or input) of it brought to its magnitude."""
    from lycoris.functional.general import weight_decompose

    changed: Tensor = weight_decompose(weight + added, magnitudes, 1, on_outputs, backend="torch")
    return changed - weight
