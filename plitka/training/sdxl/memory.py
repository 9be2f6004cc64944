"""Memory plans of a training: what a step needs on the device, and which plan it has room for.

What autograd keeps was counted on the published configuration without running it, see
plitka.bench.activations and `python -m benchmarks.training_memory`; it grows with the samples and
with their pixels. What else the work takes (gradients on their way, cuDNN's workspace, the VAE) is
estimated and not measured.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from plitka.engines.sdxl.device import Device
from plitka.errors import TrainingError
from plitka.runtime.memory import format_gib
from plitka.training.sdxl.lora_layers import LORA_TARGETS
from plitka.weights.header import Shapes, count_parameters
from plitka.weights.models import Base, RemoteBase

TrainingPlan: TypeAlias = Literal["fast", "checkpointed", "lean"]

TRAINING_PLANS: dict[TrainingPlan, str] = {
    "fast": "nothing is computed twice",
    "checkpointed": "what the UNet computes is not kept but computed again",
    "lean": "checkpointed, one sample at a time, the vectors stay as they are",
}
"""From the fastest to the smallest. What `lean` encodes it keeps, and its encoders leave the
device."""
_WITHOUT_GPU: tuple[TrainingPlan, ...] = ("fast", "checkpointed")  # memory is one there

_MIB, _GIB = 2**20, 2**30

# Of one sample of 1024x1024 in half precision, in MiB.
_KEPT = 5457  # by autograd, where all is kept
_ENTERING = 480  # the blocks' inputs, where these alone are kept
_BLOCK = 121  # of the largest block, while it is computed again
_KEPT_OF_TEXT = 25  # keys and values of one chunk of text, whatever the pixels
_KEPT_OF_ENCODERS = 80  # by both text encoders, for the gradient of the vectors; of one chunk
_CHUNKS = 2  # a caption of eight colours has more than 77 tokens
_IN_FLIGHT = 150  # gradients between two layers; estimated
_WORKSPACE = 500  # cuDNN's, and what the allocator cannot use; for all samples; estimated

# Of one picture of 1024x1024 at an evaluation, in GiB: engines.sdxl.memory_plan's, estimated.
_DENOISE = 1.5  # half precision; two samples for guidance
_DECODE = 7.0  # the VAE works in float32
_DECODE_TILED = 2.0

# For each number that is trained, in bytes: itself, its gradient, AdamW's two moments and the
# average, all in float32. At an evaluation its place is taken by the average, and it is kept aside.
_TRAINED = 5 * 4
_KEPT_ASIDE = 4


@dataclass(frozen=True)
class TrainingNeeds:
    """Bytes that a training takes.

    unet, encoders, vae, trained: all that lies there from step to step. kept, entering, block,
    encoding, in_flight: of one sample. copies: of the factors in the UNet's dtype, kept with all
    that is kept. denoise, decode, decode_tiled: of one picture at an evaluation, aside: beside it.
    """

    unet: int
    encoders: int
    vae: int
    trained: int
    kept: int
    entering: int
    block: int
    encoding: int
    in_flight: int
    copies: int
    workspace: int
    denoise: int
    decode: int
    decode_tiled: int
    aside: int

    def of(self, plan: TrainingPlan, batch: int) -> int:
        """Return the bytes that must be free for a plan. batch: samples of one step."""
        lying = self.unet + self.vae + self.trained
        if plan != "lean":
            lying += self.encoders
        step = self.count_kept(plan, batch) + self.workspace
        step += self.in_flight * (1 if plan == "lean" else batch)
        decode = self.decode if plan == "fast" else self.decode_tiled
        return lying + max(step, self.aside + max(self.denoise, decode))

    def count_kept(self, plan: TrainingPlan, batch: int) -> int:
        """Count the bytes that autograd keeps at once in a step."""
        if plan == "lean":
            return self.entering + self.block
        if plan == "checkpointed":
            return batch * (self.entering + self.block + self.encoding)
        return batch * (self.kept + self.encoding) + self.copies


def compute_training_needs(
    parameters: Mapping[str, int],
    trainable: int,
    dtype: str,
    resolution: int,
    unet_width: int = 320,
    vae_width: int = 128,
) -> TrainingNeeds:
    """Compute what a training needs.

    parameters: their number by component. trainable: how many numbers are trained. dtype: of UNet
    and encoders. resolution: pixels a side of the samples. unet_width, vae_width: channels of the
    first block, by which the work scales; the defaults are SDXL's.
    """
    size = {"float16": 2, "bfloat16": 2, "float32": 4}[dtype]
    area = (resolution / 1024) ** 2
    mib = _MIB * size / 2 * unet_width / 320
    decoded = _GIB * area * vae_width / 128
    return TrainingNeeds(
        unet=parameters["unet"] * size,
        encoders=(parameters["text_encoder"] + parameters["text_encoder_2"]) * size,
        vae=parameters["vae"] * 4,
        trained=trainable * _TRAINED,
        kept=int(mib * (_KEPT * area + _KEPT_OF_TEXT * _CHUNKS)),
        entering=int(mib * _ENTERING * area),
        block=int(mib * _BLOCK * area),
        encoding=int(_MIB * size / 2 * _KEPT_OF_ENCODERS * _CHUNKS),
        in_flight=int(mib * _IN_FLIGHT * area),
        copies=trainable * size if size == 2 else 0,
        workspace=int(mib * _WORKSPACE),
        denoise=int(1024 * mib * _DENOISE * area),
        decode=int(decoded * _DECODE),
        decode_tiled=int(decoded * _DECODE_TILED),
        aside=trainable * _KEPT_ASIDE,
    )


def compute_model_needs(
    base: Base | RemoteBase, rank: int, dtype: str, resolution: int
) -> TrainingNeeds:
    """Compute what training a base model needs, by the shapes in its files."""
    parameters = {part: count_parameters(shapes) for part, shapes in base.shapes.items()}
    parameters = {"vae": _VAE, **parameters}
    unet = base.shapes["unet"]
    decoder = base.shapes.get("vae", {}).get("decoder.conv_out.weight", (3, 128))
    return compute_training_needs(
        parameters,
        count_trainable(unet, rank),
        dtype,
        resolution,
        unet["conv_in.weight"][0],
        decoder[1],
    )


_VAE = 83_653_863  # parameters of SDXL's


def count_trainable(unet: Shapes, rank: int) -> int:
    """Count the numbers of a LoRA's factors, by the shapes of the UNet's tensors."""
    wanted = re.compile(rf".*\.({'|'.join(map(re.escape, LORA_TARGETS))})\.weight")
    total = 0
    for name, (out, *into) in unet.items():
        if wanted.fullmatch(name):
            width = 1
            for length in into:
                width *= length
            total += rank * (out + width)
    return total


def choose_training_plan(
    device: Device, free: int, needs: TrainingNeeds, batch: int
) -> TrainingPlan:
    """Choose the fastest plan that needs no more than `free` bytes.

    batch: samples of one step on this device. Raises TrainingError where there is no such plan.
    """
    plans = get_args(TrainingPlan) if device.kind == "cuda" else _WITHOUT_GPU
    for plan in plans:
        if needs.of(plan, batch) <= free:
            chosen: TrainingPlan = plan
            return chosen
    least = format_gib(needs.of(plans[-1], batch))
    fewer = "" if plans[-1] == "lean" else "batch, "
    raise TrainingError(
        f"{device.title}: {format_gib(free)} of memory is free and this training needs {least} at"
        f" the least; end other programs that use it, or take a smaller {fewer}resolution"
        " or rank, or a larger device"
    )


def describe_training_plan(plan: TrainingPlan, needs: TrainingNeeds, batch: int) -> str:
    """Describe the plan in words."""
    about = format_gib(needs.of(plan, batch))
    return f"memory plan {plan}: {TRAINING_PLANS[plan]} (needs about {about})"


def step_down(plan: TrainingPlan) -> TrainingPlan | None:
    """Return the next smaller plan; None after the smallest."""
    smaller: dict[TrainingPlan, TrainingPlan] = {"fast": "checkpointed", "checkpointed": "lean"}
    return smaller.get(plan)
