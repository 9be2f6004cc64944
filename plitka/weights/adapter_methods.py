"""The methods by which adapters change a weight: which tensors each needs, and of what shapes.

LoRA and LoCon, LoHa, LoKr, OFT, BOFT, GLoRA, (IA)3, and plain differences, as kohya, LyCORIS and
PEFT save them. Their algebra is in engines/sdxl/adapter_algebra.py.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

from plitka.weights.header import Shape, Shapes, strip_ones

Fits = Callable[[Shapes, Shape], bool]
"""Whether the parts of these shapes can change a weight of that shape."""


@dataclass(frozen=True)
class Method:
    """One way to change a weight.

    name: in sentences. peft: what PEFT's configurations call it, where alpha may stand in one.
    needed: the parts without which there is none; a tuple in it is a choice between sets of parts.
    optional: parts that there may be. ranks: of the parts by which alpha is divided, the part and
    its dimension; the first that is there counts.
    """

    name: str
    needed: tuple[tuple[frozenset[str], ...], ...]
    optional: frozenset[str]
    fits: Fits
    peft: str | None = None
    ranks: tuple[tuple[str, int], ...] = ()

    def list_parts(self) -> frozenset[str]:
        """All parts that the method knows."""
        return self.optional.union(*chain.from_iterable(self.needed))

    def list_lacking(self, parts: frozenset[str]) -> list[str]:
        """The parts that are not there; one of a choice is lacking in its first form."""
        lacking: set[str] = set()
        for choice in self.needed:
            begun = [form for form in choice if form & parts] or [choice[0]]
            lacking |= begun[0] - parts
        return sorted(lacking)


def _is(shape: Shape, *expected: int) -> bool:
    """Whether a shape is the expected one, with dimensions of 1 at its end, or flat, (rows, rest).

    Factors of a 1x1 convolution are saved flat, those of a Linear with 1x1 behind, and LyCORIS
    saves some factors of any convolution flat.
    """
    if 0 in shape or len(shape) < 2:
        return False
    flat = (expected[0], math.prod(expected[1:]))
    return strip_ones(shape) in (strip_ones(expected), strip_ones(flat))


def _fits_lora(parts: Shapes, weight: Shape) -> bool:
    down, up, mid = parts["down"], parts["up"], parts.get("mid")
    rank = down[0] if down else 0
    if len(weight) < 2 or not _is(up, weight[0], rank):
        return False
    if mid is None:
        return _is(down, rank, *weight[1:])
    return len(weight) > 2 and _is(down, rank, weight[1]) and mid == (rank, rank, *weight[2:])


def _fits_loha(parts: Shapes, weight: Shape) -> bool:
    if len(weight) < 2 or ("hada_t1" in parts) != ("hada_t2" in parts):
        return False
    rank = parts["hada_w1_b"][0] if parts["hada_w1_b"] else 0
    if "hada_t1" not in parts:
        return all(
            _is(parts[f"hada_{w}_a"], weight[0], rank)
            and _is(parts[f"hada_{w}_b"], rank, *weight[1:])
            for w in ("w1", "w2")
        )
    return len(weight) > 2 and all(
        parts[f"hada_{w}_a"] == (rank, weight[0])
        and parts[f"hada_{w}_b"] == (rank, weight[1])
        and parts[f"hada_{t}"] == (rank, rank, *weight[2:])
        for w, t in (("w1", "t1"), ("w2", "t2"))
    )


_LOKR_HALVES = ("lokr_w1", "lokr_w2")


def _fits_lokr(parts: Shapes, weight: Shape) -> bool:
    """w1 (a, b) and w2 (out / a, in / b, …), each whole or as factors."""
    doubled = any(w in parts and (f"{w}_a" in parts or f"{w}_b" in parts) for w in _LOKR_HALVES)
    if len(weight) < 2 or doubled:
        return False
    ranks = set()
    if "lokr_w1" in parts:
        first = parts["lokr_w1"]
    else:
        left, right = parts["lokr_w1_a"], parts["lokr_w1_b"]
        if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
            return False
        first = (left[0], right[1])
        ranks.add(left[1])
    if len(first) != 2 or 0 in first or weight[0] % first[0] or weight[1] % first[1]:
        return False
    second = (weight[0] // first[0], weight[1] // first[1], *weight[2:])
    if "lokr_w2" in parts:
        fits = _is(parts["lokr_w2"], *second) and "lokr_t2" not in parts
    else:
        left, right = parts["lokr_w2_a"], parts["lokr_w2_b"]
        rank = right[0] if right else 0
        ranks.add(rank)
        if "lokr_t2" in parts:
            core = (rank, rank, *weight[2:])
            fits = len(weight) > 2 and parts["lokr_t2"] == core
            fits = fits and left == (rank, second[0]) and right == (rank, second[1])
        else:
            fits = _is(left, second[0], rank) and _is(right, rank, *second[1:])
    return fits and len(ranks) < 2 and 0 not in ranks


def _fits_oft(parts: Shapes, weight: Shape) -> bool:
    """oft_blocks (blocks, size, size) on the outputs; with a dimension before, a butterfly."""
    blocks = parts["oft_blocks"]
    if len(weight) < 2 or 0 in blocks or len(blocks) not in (3, 4) or blocks[-1] != blocks[-2]:
        return False
    count, size = blocks[-3], blocks[-1]
    if count * size != weight[0]:
        return False
    if "rescale" in parts and not _is_vector(parts["rescale"], weight[0]):
        return False
    return len(blocks) == 3 or (size % 2 == 0 and count % 2 ** (blocks[0] - 1) == 0)


def _is_vector(shape: Shape, length: int) -> bool:
    """Whether a shape is (length) or (length, 1, …)."""
    return shape[:1] == (length,) and math.prod(shape) == length


def find_oft_size(elements: int) -> int:
    """The size of PEFT's OFT blocks by the numbers above their diagonal; 0 for no such number."""
    size = (1 + math.isqrt(1 + 8 * elements)) // 2
    return size if size * (size - 1) // 2 == elements > 0 else 0


def _fits_peft_oft(parts: Shapes, weight: Shape) -> bool:
    """oft_R (blocks, elements) on the inputs; one block may be for all."""
    shape = parts["oft_R"]
    if len(weight) < 2 or len(shape) != 2 or math.prod(parts.get("scaled_oft", ())) != 1:
        return False
    size, inputs = find_oft_size(shape[1]), math.prod(weight[1:])
    return size > 0 and inputs % size == 0 and shape[0] in (1, inputs // size)


def _fits_peft_boft(parts: Shapes, weight: Shape) -> bool:
    """boft_R (stages, blocks, size, size) on the inputs, boft_s on the outputs."""
    shape, scale = parts["boft_R"], parts["boft_s"]
    if len(weight) < 2 or len(shape) != 4 or 0 in shape or shape[2] != shape[3]:
        return False
    stages, count, size = shape[:3]
    if count * size != math.prod(weight[1:]) or scale not in ((weight[0], 1), (1, weight[0])):
        return False
    return stages == 1 or (size % 2 == 0 and count % 2 ** (stages - 1) == 0)


def find_glora_form(parts: Shapes, weight: Shape) -> str | None:
    """Which way round the factors of a GLoRA are: "new", "old", "either"; None where neither fits.

    W + W a1 a2 + b1 b2 as LyCORIS has it now; W + W a2 a1 + b2 b1 as its first versions had it,
    for Linear layers and 1x1 convolutions.
    """
    a1, a2, b1, b2 = (parts[part] for part in ("a1", "a2", "b1", "b2"))
    if min(map(len, (weight, a1, a2, b1, b2))) < 2:
        return None
    forms = []
    rank, middle = b1[1], parts.get("bm")
    whole = middle is None and _is(b2, rank, *weight[1:])
    parted = len(weight) > 2 and middle == (rank, rank, *weight[2:]) and _is(b2, rank, weight[1])
    inner = _is(a1, weight[1], rank) and _is(a2, rank, weight[1])
    if inner and _is(b1, weight[0], rank) and (whole or parted):
        forms.append("new")
    rank = b1[0]
    if math.prod(weight[2:]) == 1 and middle is None:
        inner = _is(a1, rank, weight[1]) and _is(a2, weight[1], rank)
        if inner and _is(b1, rank, weight[1]) and _is(b2, weight[0], rank):
            forms.append("old")
    return "either" if len(forms) > 1 else next(iter(forms), None)


def _fits_glora(parts: Shapes, weight: Shape) -> bool:
    return find_glora_form(parts, weight) in ("new", "old")


def _fits_ia3(parts: Shapes, weight: Shape) -> bool:
    """LyCORIS': one number for each input or each output."""
    if len(weight) < 2 or math.prod(parts["on_input"]) != 1:
        return False
    ones = (1,) * (len(weight) - 2)
    forms = [(n,) if len(weight) == 2 else (1, n, *ones) for n in weight[:2]]
    return parts["weight"] in forms


def find_ia3_forms(shape: Shape, weight: Shape) -> list[str]:
    """Which of "inputs" and "outputs" PEFT's ia3_l can scale, by its shape."""
    ones = (1,) * (len(weight) - 2)
    outputs = (weight[0], 1) if len(weight) == 2 else (1, weight[0], *ones)
    forms = {"inputs": (1, weight[1], *ones), "outputs": outputs}
    return [name for name, form in forms.items() if shape == form]


def _fits_peft_ia3(parts: Shapes, weight: Shape) -> bool:
    return len(weight) > 1 and bool(find_ia3_forms(parts["ia3_l"], weight))


def _fits_diff(parts: Shapes, weight: Shape) -> bool:
    return parts["diff"] == weight or (len(weight) > 1 and _is(parts["diff"], *weight))


def _fits_norm(parts: Shapes, weight: Shape) -> bool:
    return parts["w_norm"] == weight


def find_dora_axis(shape: Shape, weight: Shape) -> int | None:
    """The axis of the weight that the magnitudes of a DoRA belong to: 0 its outputs, 1 its inputs.

    (out), (out, 1, …), and (1, in, …) as kohya and LyCORIS save them.
    """
    if _is_vector(shape, weight[0]):
        return 0
    ones = (1,) * (len(weight) - 2)
    return 1 if shape[:2] == (1, weight[1]) and shape[2:] in ((), ones) else None


def fits_magnitude(shape: Shape, weight: Shape) -> bool:
    """Whether magnitudes in PEFT's form, (out) or (1, out, …), have one for each output."""
    return weight[0] in shape and math.prod(shape) == weight[0]


def _sets(*forms: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(form.split()) for form in forms)


_DORA = "dora_scale magnitude"

METHODS: Mapping[str, Method] = {
    "lora": Method(
        "LoRA",
        (_sets("down up"),),
        frozenset(f"mid up_bias alpha {_DORA}".split()),
        _fits_lora,
        "LORA",
        (("down", 0),),
    ),
    "loha": Method(
        "LoHa",
        (_sets("hada_w1_a hada_w1_b hada_w2_a hada_w2_b"),),
        frozenset(f"hada_t1 hada_t2 alpha {_DORA}".split()),
        _fits_loha,
        "LOHA",
        (("hada_w1_b", 0),),
    ),
    "lokr": Method(
        "LoKr",
        (_sets("lokr_w1", "lokr_w1_a lokr_w1_b"), _sets("lokr_w2", "lokr_w2_a lokr_w2_b")),
        frozenset(f"lokr_t2 alpha {_DORA}".split()),
        _fits_lokr,
        "LOKR",
        (("lokr_w1_b", 0), ("lokr_w2_b", 0)),
    ),
    "oft": Method("OFT", (_sets("oft_blocks"),), frozenset({"rescale", "alpha"}), _fits_oft),
    "peft_oft": Method("OFT", (_sets("oft_R"),), frozenset({"scaled_oft"}), _fits_peft_oft),
    "peft_boft": Method("BOFT", (_sets("boft_R boft_s"),), frozenset(), _fits_peft_boft),
    "glora": Method(
        "GLoRA",
        (_sets("a1 a2 b1 b2"),),
        frozenset({"bm", "alpha"}),
        _fits_glora,
    ),
    "ia3": Method("(IA)3", (_sets("weight on_input"),), frozenset(), _fits_ia3),
    "peft_ia3": Method("(IA)3", (_sets("ia3_l"),), frozenset(), _fits_peft_ia3),
    "diff": Method("difference", (_sets("diff"),), frozenset(), _fits_diff),
    "norm": Method("norm", (_sets("w_norm b_norm"),), frozenset(), _fits_norm),
}
BIASES = ("diff_b", "b_norm", "up_bias")
"""Parts that change a module's bias."""

_SHARED = frozenset({"alpha", "weight", "dora_scale", "magnitude"})
"""Parts that more than one kind of file has: alone they do not tell an adapter."""


def find_methods(parts: frozenset[str]) -> list[str]:
    """The methods that some of these parts belong to and to no other."""
    return [
        name
        for name, method in METHODS.items()
        if parts & (method.list_parts() - _SHARED if name != "ia3" else {"on_input"})
    ]


def is_telling(part: str) -> bool:
    """Whether a part is an adapter's and no other file's."""
    return part not in _SHARED


_UNREAD: Mapping[str, str] = {
    "set_weight": "whole weights in place of the base's (set_weight)",
    "reshape_weight": "weights of other shapes (reshape_weight)",
    "adamss_": "an AdaMSS",
    "bias_indices": "a bias of which only some numbers are there (bias_indices)",
    "bias_size": "a bias of which only some numbers are there (bias_size)",
    "bias_values": "a bias of which only some numbers are there (bias_values)",
    "bone_": "a Bone",
    "c3a_kernel": "a C3A",
    "delora_": "a DeLoRA",
    "fourierft_": "a FourierFT",
    "gralora_": "a GraLoRA",
    "hra_u": "an HRA",
    "lambda_layer": "a T-LoRA, whose starting point it does not hold",
    "ln_tuning_layers": "LN tuning",
    "lokr_t1": "a LoKr with lokr_t1",
    "lora_E": "an AdaLoRA",
    "lora_embedding_": "a LoRA on a token embedding (lora_embedding_A)",
    "miss_block": "a MiSS",
    "modules_to_save": "a whole module (modules_to_save)",
    "oft_diag": "an OFT of LyCORIS' first form (oft_diag)",
    "oft_r": "an OFT of PEFT's first form (oft_r)",
    "randlora_": "a RandLoRA",
    "road_": "a RoAd",
    "shira_weight": "a SHiRA",
    "vblora_": "a VB-LoRA",
    "vera_lambda_": "a VeRA",
    "waveft_": "a WaveFT",
}
"""What, after a dot in a tensor's name, tells a method that is not read, and what it is."""


def name_unread(tensor: str) -> str | None:
    """What a tensor belongs to, where it is of a method that is not read."""
    return next((kind for mark, kind in _UNREAD.items() if f".{mark}" in tensor), None)
