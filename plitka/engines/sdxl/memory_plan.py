"""Memory plans: how a model is fitted into the memory that a device has free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from plitka.engines.sdxl.device import Device
from plitka.engines.sdxl.options import MEMORY_FRACTION
from plitka.errors import NoModelError
from plitka.runtime.memory import format_gib
from plitka.weights.header import count_parameters
from plitka.weights.hub import Remote
from plitka.weights.lora import Lora
from plitka.weights.models import Base, Model, RemoteBase

MemoryPlan: TypeAlias = Literal["resident", "encoders_on_cpu", "tiled_vae", "offload"]

PLANS: dict[MemoryPlan, str] = {
    "resident": "everything stays on the device",
    "encoders_on_cpu": "text encoders go to the CPU after encoding",
    "tiled_vae": "text encoders to the CPU, and the VAE works in tiles",
    "offload": "each model is on the device only while it works",
}
"""From the fastest to the smallest; each also does what those before it do."""
_WITHOUT_GPU: tuple[MemoryPlan, ...] = ("resident", "tiled_vae")  # memory is one there

# What one picture of 1024x1024 needs besides the weights, in GiB of half precision: estimated
# from the largest activations of the published SDXL configuration, not measured on a GPU.
_DENOISE = 1.5  # two samples for guidance, with a ControlNet
_KEPT = 0.2  # from step to step: the text's keys, for two samples and for one; deep features
_DECODE = 3.5  # the VAE's 256 channels at full size, several times
_DECODE_TILED = 1.0
# A VAE in float32: 5.25 and 1.5, where benchmarks/fake_card.py simulates 3.5 and 0.9.
_DECODE_IN_SINGLE = 1.5  # times as much
_GRAPHS = 1.2  # all CUDA graphs: what they work on, read and write, and what they launch
_ENCODE_TEXT = 0.4  # little of it the work's: what libraries take while the encoders visit


@dataclass(frozen=True)
class Needs:
    """Bytes that weights take, and that the work on them takes beside, in one dtype.

    unet: with the factors of turbo's LoRA. graphs: what CUDA graphs take for good, where there is
    room for them under a plan. turbo: of the weights that turbo has of its own where there is room
    beside them; 0 without its LoRA.
    """

    unet: int
    text_encoders: int
    vae: int
    controlnet: int
    denoise: int
    decode: int
    decode_tiled: int
    graphs: int
    encode_text: int
    turbo: int = 0

    def of_work(self, plan: MemoryPlan) -> int:
        """Return the bytes that a picture takes beside the weights that stay on the device."""
        visitors = 0 if plan == "resident" else self.text_encoders + self.encode_text
        decode = self.decode_tiled if plan in ("tiled_vae", "offload") else self.decode
        return max(visitors, self.denoise, decode)

    def of_picture(self, plan: MemoryPlan, controlled: bool) -> int:
        """Return the bytes that a picture needs under a plan, weights and all.

        controlled: whether a ControlNet draws with it.
        """
        controlnet = self.controlnet if controlled else 0
        if plan == "offload":
            denoise = self.unet + controlnet + self.denoise
            return max(self.text_encoders + self.encode_text, denoise, self.vae + self.decode_tiled)
        encoders = self.text_encoders if plan == "resident" else 0
        return self.unet + self.vae + controlnet + encoders + self.of_work(plan)

    def of(self, plan: MemoryPlan) -> int:
        """Return the bytes that must be free for a plan to be chosen.

        With one ControlNet, except under the last plan: a card too small for one with it still
        draws what needs none.
        """
        return self.of_picture(plan, controlled=plan != "offload")

    def leaves_turbo_room(self, plan: MemoryPlan, free: int) -> bool:
        """Whether, of `free` bytes, a plan leaves room for weights of turbo's own.

        Under the last plan they would have to visit the device as well, which takes longer than the
        products that they save.
        """
        graphs = self.graphs if plan in ("resident", "encoders_on_cpu") else 0
        return 0 < self.turbo <= free - self.of(plan) - graphs and plan != "offload"


def compute_needs(
    parameters: Mapping[str, int],
    dtype: str,
    unet_width: int = 320,
    vae_width: int = 128,
    upcasts: bool = False,
) -> Needs:
    """Compute what a model needs.

    parameters: their number by component, "turbo" for weights of its own. unet_width, vae_width:
    channels of the first block, by which the work scales; the defaults are SDXL's. upcasts: whether
    the VAE asks to work in float32, which it does where all else is in float16.
    """
    size = {"float16": 2, "bfloat16": 2, "float32": 4}[dtype]
    gib = 2**30 * size / 2
    upcast = upcasts and dtype == "float16"
    copy, vae_gib = (parameters["vae"] * size, _DECODE_IN_SINGLE * gib) if upcast else (0, gib)
    return Needs(
        unet=parameters["unet"] * size,
        text_encoders=(parameters["text_encoder"] + parameters["text_encoder_2"]) * size,
        vae=parameters["vae"] * size,
        controlnet=parameters["controlnet"] * size,
        denoise=int((_DENOISE + _KEPT) * gib * unet_width / 320),
        decode=copy + int(_DECODE * vae_gib * vae_width / 128),
        decode_tiled=copy + int(_DECODE_TILED * vae_gib * vae_width / 128),
        encode_text=int(_ENCODE_TEXT * gib * unet_width / 320),
        graphs=int(_GRAPHS * gib * unet_width / 320),
        turbo=parameters.get("turbo", 0) * size,
    )


def choose_plan(device: Device, free: int, needed: Needs) -> MemoryPlan:
    """Choose the fastest plan that needs `free` bytes at the most. Raises NoModelError for none."""
    plans = tuple(PLANS) if device.kind == "cuda" else _WITHOUT_GPU
    for plan in plans:
        if needed.of(plan) <= free:
            return plan
    least = format_gib(needed.of(plans[-1]))
    raise NoModelError(
        f"{device.title}: {format_gib(free)} of memory is free and SDXL needs {least} at the least;"
        f" end other programs that use it, raise {MEMORY_FRACTION} if it is set, or take a larger"
        " device"
    )


def describe_plan(plan: MemoryPlan, needed: Needs, free: int) -> str:
    """Describe the plan in words, and what it leaves turbo of `free` bytes."""
    words = f"memory plan {plan}: {PLANS[plan]} (needs about {format_gib(needed.of(plan))})"
    if not needed.turbo:
        return words
    own = f"weights of its own for turbo ({format_gib(needed.turbo)})"
    if needed.leaves_turbo_room(plan, free):
        return f"{words}, and {own}"
    return f"{words}; no room for {own}, so its LoRA works beside the others"


def step_down(plan: MemoryPlan, room: int, needed: Needs, controlled: bool) -> MemoryPlan | None:
    """Choose the fastest of the smaller plans whose picture fits, else the smallest of them.

    room: bytes that the engine could have on the device. controlled: whether a ControlNet draws
    with it. None after the smallest plan.
    """
    smaller = tuple(PLANS)[tuple(PLANS).index(plan) + 1 :]
    fitting = (one for one in smaller if needed.of_picture(one, controlled) <= room)
    return next(fitting, smaller[-1] if smaller else None)


# Parameters of SDXL base 1.0 and its ControlNets, counted on the published configurations.
_VAE = 83_653_863
_CONTROLNET_SHARE = 1_251_014_800 / 2_567_463_684  # of the UNet's, whose first half it repeats


def compute_model_needs(
    base: Base | RemoteBase, vae: Model | Remote | None, turbo: Lora | None, dtype: str
) -> Needs:
    """Estimate what a model needs by the shapes in its files; a remote VAE counts as SDXL's own.

    vae: None where it is the base's own. turbo: the LoRA of that quality, None without it.
    """
    shapes = dict(base.shapes)
    if isinstance(vae, Model):
        shapes["vae"] = vae.shapes
    parameters = {"vae": _VAE, **{part: count_parameters(shapes[part]) for part in shapes}}
    parameters["controlnet"] = int(parameters["unet"] * _CONTROLNET_SHARE)
    if turbo is not None:
        parameters["unet"] += turbo.parameters
        changed = {f"{change.module}_weight" for change in turbo.changes}
        own = {name: s for name, s in shapes["unet"].items() if name.replace(".", "_") in changed}
        parameters["turbo"] = count_parameters(own)
    unet = shapes["unet"]["conv_in.weight"]
    decoder = shapes.get("vae", {}).get("decoder.conv_out.weight", (3, 128))
    return compute_needs(parameters, dtype, unet[0], decoder[1], _upcasts(base, vae))


def _upcasts(base: Base | RemoteBase, vae: Model | Remote | None) -> bool:
    """Whether the VAE asks to work in float32; one whose configuration is not here does not."""
    model = base.models.get("vae") if vae is None and isinstance(base, Base) else vae
    return isinstance(model, Model) and bool(model.config.get("force_upcast"))
