"""Every method by which adapters change a weight: its tensors, and its definition written out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Parts = dict[str, Tensor]
Expected = Callable[[Parts, Tensor, Tensor | None], Tensor]
"""Parts, weight and bias, all in double precision -> the method's own weight, or bias."""


@dataclass(frozen=True)
class Case:
    """A method on one module. shapes: part -> shape; numbers: part -> its one number."""

    name: str
    module: str
    shapes: Mapping[str, tuple[int, ...]]
    numbers: Mapping[str, float]
    weight: Expected | None
    bias: Expected | None = None


def product(parts: Parts) -> Tensor:
    return parts["lora_up.weight"].flatten(1) @ parts["lora_down.weight"].flatten(1)


def lora(parts: Parts, weight: Tensor, _: Any = None) -> Tensor:
    rank = parts["lora_down.weight"].shape[0]
    return weight + parts["alpha"] / rank * product(parts).reshape(weight.shape)


def locon(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    up, down = parts["lora_up.weight"].flatten(1), parts["lora_down.weight"].flatten(1)
    change = torch.einsum("or,rskl,si->oikl", up, parts["lora_mid.weight"], down)
    return weight + parts["alpha"] / down.shape[0] * change


def loha(parts: Parts, weight: Tensor, _: Any = None) -> Tensor:
    first, second = (parts[f"hada_{w}_a"] @ parts[f"hada_{w}_b"] for w in ("w1", "w2"))
    return weight + parts["alpha"] / 4 * (first * second).reshape(weight.shape)


def loha_tucker(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    first, second = (
        torch.einsum(
            "rskl,ro,si->oikl", parts[f"hada_t{n}"], parts[f"hada_w{n}_a"], parts[f"hada_w{n}_b"]
        )
        for n in (1, 2)
    )
    return weight + parts["alpha"] / 4 * first * second


def kron(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Blocks of `second`, the one in row i and column j of them times first[i, j]."""
    second = second.reshape(weight.shape[0] // len(first), weight.shape[1] // first.shape[1], -1)
    blocks = torch.einsum("ab,cdk->acbdk", first, second)
    return blocks.reshape(weight.shape)


def lokr(parts: Parts, weight: Tensor, _: Any = None) -> Tensor:
    whole = "lokr_w1" in parts and "lokr_w2" in parts
    first = parts["lokr_w1"] if "lokr_w1" in parts else parts["lokr_w1_a"] @ parts["lokr_w1_b"]
    if "lokr_w2" in parts:
        second = parts["lokr_w2"]
    elif "lokr_t2" in parts:
        second = torch.einsum(
            "rskl,rc,sd->cdkl", parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"]
        )
    else:
        second = parts["lokr_w2_a"] @ parts["lokr_w2_b"]
    return weight + (1 if whole else parts["alpha"] / 4) * kron(first, second, weight)


def dora(of: Expected, part: str = "dora_scale") -> Expected:
    """m * W' / |W'|, with norms of rows, or of columns where there is a magnitude for each."""

    def decompose(parts: Parts, weight: Tensor, _: Any) -> Tensor:
        changed = of(parts, weight, None)
        scale = parts[part]
        on_outputs = part != "dora_scale" or scale.shape[0] == weight.shape[0]
        axis = 1 if on_outputs else 0
        norms = changed.transpose(0, 1 - axis).flatten(1).norm(dim=1)
        shape = [1] * weight.dim()
        shape[1 - axis] = -1
        decomposed: Tensor = changed * (scale.flatten() / norms).reshape(shape)
        return decomposed

    return decompose


def cayley(skew: Tensor) -> Tensor:
    one = torch.eye(skew.shape[-1], dtype=skew.dtype)
    return (one + skew) @ (one - skew).inverse()


def oft(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    """Each block of outputs is turned: rows k of it become sum_n R[n, k] W[n]."""
    skew = parts["oft_blocks"] - parts["oft_blocks"].transpose(-1, -2)
    bound = float(parts.get("alpha", torch.tensor(0.0))) * len(weight)
    if 0 < bound < skew.norm():
        skew = skew * bound / skew.norm()
    turns = cayley(skew)
    blocks = weight.reshape(*turns.shape[:2], -1)
    turned = (turns.transpose(1, 2) @ blocks).reshape(weight.shape)
    return turned * parts["rescale"] if "rescale" in parts else turned


def boft(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    """Stages of turned blocks; before each, halves of blocks 2^i apart are brought together."""
    stages, count, size, _size = parts["oft_blocks"].shape
    changed = weight.flatten(1)
    for stage in range(stages):
        block = parts["oft_blocks"][stage]
        turns = cayley(block - block.transpose(1, 2))
        half = 2**stage * size // 2
        # position (pair, side, place) goes to (pair, place, side)
        rows = torch.arange(len(weight)).reshape(-1, 2, half).transpose(1, 2).flatten()
        turned = (turns @ changed[rows].reshape(count, size, -1)).flatten(0, 1)
        changed = torch.empty_like(changed)
        changed[rows] = turned
    changed = changed.reshape(weight.shape)
    return changed * parts["rescale"] if "rescale" in parts else changed


def glora(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    a1, a2, b1, b2 = (parts[f"{name}.weight"].flatten(1) for name in ("a1", "a2", "b1", "b2"))
    inner = torch.einsum("oi...,ij->oj...", weight, a1 @ a2)
    return weight + parts["alpha"] / 4 * (inner + (b1 @ b2).reshape(weight.shape))


def older_glora(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    a1, a2, b1, b2 = (parts[f"{name}.weight"] for name in ("a1", "a2", "b1", "b2"))
    return weight + parts["alpha"] / 4 * (weight @ a2 @ a1 + b2 @ b1)


def ia3(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    axis = 1 if parts["on_input"] else 0
    shape = [1] * weight.dim()
    shape[axis] = -1
    return weight * (1 + parts["weight"].reshape(shape))


def plus(part: str) -> Expected:
    def add(parts: Parts, weight: Tensor, bias: Tensor | None) -> Tensor:
        changed = weight if bias is None else bias
        return changed + parts[part]

    return add


def lora_bias(parts: Parts, weight: Tensor, bias: Tensor | None) -> Tensor:
    assert bias is not None
    return bias + parts["alpha"] / 4 * parts["lora_up.bias"]


def peft_boft(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    """W R^T of one stage, R of blocks of the inputs, and a scale for each output."""
    block = parts["boft_R"][0]
    skew = 0.5 * (block - block.transpose(1, 2))
    one = torch.eye(skew.shape[-1], dtype=skew.dtype)
    turns = (one - skew) @ (one + skew).inverse()
    blocks = weight.flatten(1).reshape(len(weight), len(turns), -1)
    turned = torch.einsum("onk,nck->onc", blocks, turns).reshape(weight.shape)
    return turned * parts["boft_s"].reshape(-1, *[1] * (weight.dim() - 1))


def oft_series(parts: Parts, weight: Tensor, _: Any) -> Tensor:
    """W R^T, of a convolution W R; R = 1 + 2 Q + 2 Q^2 + 2 Q^3 + Q^4, as OneTrainer saves it."""
    elements = parts["oft_R.weight"]
    size = int((1 + (1 + 8 * elements.shape[1]) ** 0.5) / 2)
    if "oft_R.scaled_oft" in parts:
        elements = elements / (2 * (size - 1) ** 0.5)
    skew = torch.zeros(len(elements), size, size, dtype=elements.dtype)
    rows, columns = torch.triu_indices(size, size, 1)
    skew[:, rows, columns] = elements
    skew = skew - skew.transpose(1, 2)
    turns = torch.eye(size, dtype=skew.dtype) + 2 * skew + 2 * skew @ skew
    turns = turns + 2 * skew @ skew @ skew + skew @ skew @ skew @ skew
    blocks = weight.flatten(1).reshape(len(weight), -1, size)
    turns = turns.expand(blocks.shape[1], -1, -1)
    turns = turns if weight.dim() == 2 else turns.transpose(1, 2)
    return torch.einsum("onk,nck->onc", blocks, turns).reshape(weight.shape)


FACTORS = {"lora_down.weight": (4, 32), "lora_up.weight": (32, 4)}
WIDE = {"lora_down.weight": (4, 2048), "lora_up.weight": (32, 4)}
CONV = {"lora_down.weight": (4, 32, 3, 3), "lora_up.weight": (32, 4, 1, 1)}
HADA = {"hada_w1_a": (32, 4), "hada_w1_b": (4, 2048)}
HADA |= {name.replace("w1", "w2"): shape for name, shape in HADA.items()}
HADA_CONV = {
    f"hada_{name}": shape
    for w in ("w1", "w2")
    for name, shape in ((f"{w}_a", (32, 4)), (f"{w}_b", (4, 288)))
}
TUCKER = {
    "hada_t1": (4, 4, 3, 3),
    "hada_t2": (4, 4, 3, 3),
    **{f"hada_w{n}_{half}": (4, 32) for n in (1, 2) for half in "ab"},
}
A = {"alpha": 3.0}
_ENCODER = "encoder.layers.0."

CASES = (
    Case("lora", "conv_in",
         {"lora_down.weight": (4, 4, 3, 3), "lora_up.weight": (16, 4, 1, 1)}, A, lora),
    Case("flat 1x1", "down_blocks.1.resnets.0.conv_shortcut",
         {"lora_down.weight": (4, 16), "lora_up.weight": (32, 4)}, A, lora),
    Case("linear with 1x1 behind", "down_blocks.1.attentions.0.proj_in",
         {"lora_down.weight": (4, 32, 1, 1), "lora_up.weight": (32, 4, 1, 1)}, A, lora),
    Case("locon", "down_blocks.2.resnets.0.conv1",
         {"lora_down.weight": (4, 32, 1, 1), "lora_mid.weight": (4, 4, 3, 3),
          "lora_up.weight": (32, 4, 1, 1)}, A, locon),
    Case("loha", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", HADA, A, loha),
    Case("loha conv", "down_blocks.2.resnets.0.conv2", HADA_CONV, A, loha),
    Case("loha tucker", "down_blocks.2.resnets.1.conv1", TUCKER, A, loha_tucker),
    Case("lokr full", "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v",
         {"lokr_w1": (4, 8), "lokr_w2": (8, 256)}, A, lokr),
    Case("lokr w2 factored", "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_v",
         {"lokr_w1": (4, 8), "lokr_w2_a": (8, 4), "lokr_w2_b": (4, 256)}, A, lokr),
    Case("lokr both factored", "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k",
         {"lokr_w1_a": (8, 4), "lokr_w1_b": (4, 16), "lokr_w2_a": (4, 4), "lokr_w2_b": (4, 128)},
         A, lokr),
    Case("lokr conv", "down_blocks.2.resnets.1.conv2",
         {"lokr_w1": (4, 2), "lokr_w2": (8, 16, 3, 3)}, A, lokr),
    Case("lokr conv factored", "mid_block.resnets.0.conv1",
         {"lokr_w1": (4, 2), "lokr_w2_a": (8, 4), "lokr_w2_b": (4, 144)}, A, lokr),
    Case("lokr tucker", "mid_block.resnets.0.conv2",
         {"lokr_w1": (4, 2), "lokr_t2": (4, 4, 3, 3), "lokr_w2_a": (4, 8), "lokr_w2_b": (4, 16)},
         A, lokr),
    Case("dora on outputs", "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
         {**WIDE, "dora_scale": (32, 1)}, A, dora(lora)),
    Case("dora on inputs", "mid_block.attentions.0.transformer_blocks.0.attn2.to_v",
         {**WIDE, "dora_scale": (1, 2048)}, A, dora(lora)),
    Case("dora conv on outputs", "mid_block.resnets.1.conv1",
         {**CONV, "dora_scale": (32, 1, 1, 1)}, A, dora(lora)),
    Case("dora conv on inputs", "mid_block.resnets.1.conv2",
         {**CONV, "dora_scale": (1, 32, 1, 1)}, A, dora(lora)),
    Case("dora of a loha", "mid_block.attentions.0.transformer_blocks.1.attn2.to_k",
         {**HADA, "dora_scale": (32, 1)}, A, dora(loha)),
    Case("dora of a lokr", "mid_block.attentions.0.transformer_blocks.1.attn2.to_v",
         {"lokr_w1": (4, 8), "lokr_w2_a": (8, 4), "lokr_w2_b": (4, 256), "dora_scale": (1, 2048)},
         A, dora(lokr)),
    Case("dora of PEFT", "mid_block.attentions.0.proj_in",
         {**FACTORS, "lora_magnitude_vector.default.weight": (32,)}, A,
         dora(lora, "lora_magnitude_vector.default.weight")),
    Case("dora of PEFT conv", "up_blocks.0.upsamplers.0.conv",
         {**CONV, "lora_magnitude_vector": (1, 32, 1, 1)}, A, dora(lora, "lora_magnitude_vector")),
    Case("diff", "mid_block.attentions.0.proj_out", {"diff": (32, 32), "diff_b": (32,)}, {},
         plus("diff"), plus("diff_b")),
    Case("diff conv", "up_blocks.1.upsamplers.0.conv", {"diff": (32, 32, 3, 3)}, {}, plus("diff")),
    Case("diff of a norm", "up_blocks.0.attentions.0.norm", {"diff": (32,)}, {}, plus("diff")),
    Case("diff_b alone", "conv_out", {"diff_b": (4,)}, {}, None, plus("diff_b")),
    Case("lora and diff_b", "up_blocks.0.attentions.0.proj_in", {**FACTORS, "diff_b": (32,)}, A,
         lora, plus("diff_b")),
    Case("lora with a bias", "up_blocks.0.attentions.0.proj_out",
         {**FACTORS, "lora_up.bias": (32,)}, A, lora, lora_bias),
    Case("norm", "down_blocks.0.resnets.0.norm1", {"w_norm": (16,), "b_norm": (16,)}, {},
         plus("w_norm"), plus("b_norm")),
    Case("oft", "up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
         {"oft_blocks": (4, 8, 8)}, {}, oft),
    Case("oft constrained", "up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v",
         {"oft_blocks": (4, 8, 8)}, {"alpha": 0.01}, oft),
    Case("oft rescaled", "up_blocks.0.resnets.0.conv1",
         {"oft_blocks": (8, 4, 4), "rescale": (32, 1, 1, 1)}, {"alpha": 0.0}, oft),
    Case("boft", "up_blocks.0.attentions.1.transformer_blocks.0.attn2.to_k",
         {"oft_blocks": (3, 4, 8, 8)}, {}, boft),
    Case("boft rescaled", "up_blocks.0.resnets.1.conv1",
         {"oft_blocks": (2, 8, 4, 4), "rescale": (32, 1, 1, 1)}, {}, boft),
    Case("glora", "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_k",
         {"a1.weight": (2048, 4), "a2.weight": (4, 2048), "b1.weight": (32, 4),
          "b2.weight": (4, 2048)}, A, glora),
    Case("glora conv", "up_blocks.0.resnets.2.conv1",
         {"a1.weight": (64, 4, 1, 1), "a2.weight": (4, 64, 1, 1), "b1.weight": (32, 4, 1, 1),
          "b2.weight": (4, 64, 3, 3)}, A, glora),
    Case("older glora", "up_blocks.0.attentions.2.transformer_blocks.0.attn2.to_v",
         {"a1.weight": (4, 2048), "a2.weight": (2048, 4), "b1.weight": (4, 2048),
          "b2.weight": (32, 4)}, A, older_glora),
    Case("ia3 on inputs", "up_blocks.1.attentions.0.proj_in", {"weight": (32,)}, {"on_input": 1},
         ia3),
    Case("ia3 on outputs", "up_blocks.1.attentions.0.proj_out", {"weight": (32,)},
         {"on_input": 0}, ia3),
    Case("ia3 conv on inputs", "up_blocks.1.resnets.0.conv2", {"weight": (1, 32, 1, 1)},
         {"on_input": 1}, ia3),
    Case("ia3 conv on outputs", "up_blocks.1.resnets.0.conv1", {"weight": (1, 32, 1, 1)},
         {"on_input": 0}, ia3),
    Case("boft of PEFT", "up_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k",
         {"boft_R": (1, 256, 8, 8), "boft_s": (32, 1)}, {}, peft_boft),
    Case("boft of PEFT conv", "up_blocks.1.resnets.1.conv1",
         {"boft_R": (1, 72, 8, 8), "boft_s": (1, 32)}, {}, peft_boft),
    Case("oft of OneTrainer", "up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k",
         {"oft_R.weight": (256, 28)}, {}, oft_series),
    Case("scaled, shared oft of OneTrainer", "up_blocks.1.resnets.1.conv2",
         {"oft_R.weight": (1, 6)}, {"oft_R.scaled_oft": 1}, oft_series),
    Case("text encoder", f"text_encoder {_ENCODER}self_attn.q_proj",
         {"lokr_w1": (8, 8), "lokr_w2_a": (96, 4), "lokr_w2_b": (4, 96)}, A, lokr),
    Case("text encoder's norm", f"text_encoder_2 {_ENCODER}layer_norm1",
         {"w_norm": (1280,), "b_norm": (1280,)}, {}, plus("w_norm"), plus("b_norm")),
    Case("text projection", "text_encoder_2 text_projection",
         {"lora_down.weight": (4, 1280), "lora_up.weight": (1280, 4)}, A, lora),
)  # fmt: skip


def split(module: str) -> tuple[str, str]:
    component, _, name = module.rpartition(" ")
    return component or "unet", name


def find(pipe: Any, module: str) -> Any:
    """The module of a pipeline, whatever transformers puts before a text encoder's layers."""
    component, name = split(module)
    named = dict(getattr(pipe, component).named_modules())
    return named[name] if name in named else named[f"text_model.{name}"]


def write_name(module: str) -> str:
    component, name = split(module)
    start = {"unet": "lora_unet_", "text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
    return start[component] + name.replace(".", "_")


def make_parts(case: Case, generator: torch.Generator) -> Parts:
    parts = {
        part: 0.15 * torch.randn(shape, generator=generator) for part, shape in case.shapes.items()
    }
    for part in parts:
        if part.startswith(("dora_scale", "lora_magnitude", "rescale", "boft_s")):
            parts[part] = 1 + parts[part]
    return parts | {part: torch.tensor(number) for part, number in case.numbers.items()}
