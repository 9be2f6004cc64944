"""What a distilled LoRA was trained for: how many steps, with or without guidance, which sampler.

Its file does not say: all of one family have the same tensors, and no notes. So a published file is
known by its content, whatever it is called by now; any other by its name, or by the title that a
trainer noted in it. What the model cards say of each:
https://huggingface.co/ByteDance/SDXL-Lightning (Euler, trailing steps, no guidance) and
https://huggingface.co/ByteDance/Hyper-SD (DDIM, trailing steps; "CFG-preserved" ones "support 5~8
guidance scales"). Sizes and SHA-256 are those of the pointers in these repositories. By their names
alone are known those of https://huggingface.co/latent-consistency/lcm-lora-sdxl (LCMScheduler, "2
to 8 steps", guidance off or "between 1.0 and 2.0"), https://huggingface.co/h1t/TCD-SDXL-LoRA
(TCDScheduler, eta 0.3, guidance 0) and https://huggingface.co/tianweiy/DMD2 (LCMScheduler with the
timesteps 999, 749, 499 and 249, guidance 0).
"""

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from plitka.errors import WeightsError
from plitka.weights.header import Header
from plitka.weights.settings import TURBO_GUIDANCE, TURBO_LORA

Family: TypeAlias = Literal["SDXL-Lightning", "Hyper-SD", "LCM", "TCD", "DMD2"]

_LIGHTNING: Family = "SDXL-Lightning"
_HYPER: Family = "Hyper-SD"
_PRESERVED = 6.5  # of the 5 to 8 that the card names, what other qualities use
_DEFAULT_STEPS = 8
_DMD2_STEPS = 4


@dataclass(frozen=True)
class TurboKind:
    """What a distilled LoRA is drawn with.

    family: decides on the sampler. steps: of the schedule that it was trained for. guidance: 1 is
    none. origin: who says so, for sentences.
    """

    family: Family
    steps: int
    guidance: float
    origin: str

    def describe(self) -> str:
        """Describe it in words: "8 steps of Hyper-SD, guided at 6.5, as its content says"."""
        guided = f"guided at {self.guidance:g}" if self.guidance > 1 else "without guidance"
        return f"{self.steps} steps of {self.family}, {guided}, {self.origin}"


_PUBLISHED: Mapping[int, Mapping[str, tuple[Family, int, bool]]] = {
    393_854_592: {
        "04fafc778385b24144498a8247498ae4fb7a69f702ea0566bdce2845a31fcc43": (_LIGHTNING, 2, False),
        "bf56cf2657efb15e465d81402ed481d1e11c4677e4bcce1bc11fe71ad8506b79": (_LIGHTNING, 4, False),
        "5aa30d94cdf7950a8b53a693682650ee061eddb128c5435a8f88defea73b2ac6": (_LIGHTNING, 8, False),
    },
    787_359_648: {
        "c912df184c5116792d2c604d26c6bc2aa916685f4a793755255cda1c43a3c78a": (_HYPER, 1, False),
        "69b25c0187ced301c3603c599c0bc509ac99b8ac34db89a2aecc3d5f77a35187": (_HYPER, 2, False),
        "12f81a27d00a751a40d68fd15597091896c5a90f3bd632fb6c475607cbdad76e": (_HYPER, 4, False),
        "ca689190e8c46038550384b5675488526cfe5a40d35f82b27acb75c100f417c1": (_HYPER, 8, False),
        "55b51334c85061afff5eff7c550b61963c8b8607a5868bbe4f26db49374719b1": (_HYPER, 8, True),
        "0b97f447b5878323a28fbe7c51ba7acebd21f4d77552ba77b04b11c8911825b6": (_HYPER, 12, True),
    },
}
"""Bytes of a file -> its SHA-256 -> family, steps, whether guidance was preserved."""

_TITLES = ("modelspec.title", "ss_output_name")
_FAMILIES: Mapping[Family, re.Pattern[str]] = {  # the first that is found counts
    _LIGHTNING: re.compile(r"lightning", re.IGNORECASE),
    _HYPER: re.compile(r"hyper", re.IGNORECASE),
    "LCM": re.compile(r"(?<![a-z])lcm(?![a-z])", re.IGNORECASE),
    "TCD": re.compile(r"(?<![a-z])tcd(?![a-z])", re.IGNORECASE),
    "DMD2": re.compile(r"(?<![a-z])dmd2?(?![a-z\d])", re.IGNORECASE),
}
_STEPS = re.compile(r"(?<!\d)([1-9]\d?)[ _-]?steps?(?![a-z])", re.IGNORECASE)
_GUIDED = re.compile(r"(?<!no)(?<!no[ _-])(?<![a-z])cfg(?![a-z\d])", re.IGNORECASE)
_LIBRARY_STEMS = ("pytorch_lora_weights", "adapter_model")


def choose_turbo_kind(header: Header, guidance: float | None) -> TurboKind:
    """Find out what a distilled LoRA was trained for.

    header: of its file; where that is still to be fetched, its name alone can tell. guidance: as
    the setting says, in place of the file. Raises WeightsError for one step, which is nothing that
    a tile which begins with its layout could be drawn with.
    """
    kind = _find_published(header.path) or _read_names(header)
    if kind.steps == 1:
        raise WeightsError(
            f"{header.title}: was distilled to one step, {kind.origin}, but a tile needs the last"
            f" half of several steps; set {TURBO_LORA} to one of 4, 8 or 12 steps"
        )
    if guidance is None:
        return kind
    return replace(kind, guidance=guidance, origin=f"{kind.origin} and {TURBO_GUIDANCE}")


def name_turbo(path: Path) -> str:
    """The name that tells what a file is: its own, or its folder's where a library named it.

    In the hub's cache that is the folder of the repository, below which each version has one.
    """
    if path.stem not in _LIBRARY_STEMS:
        return path.stem
    folder = path.parent
    return folder.parent.parent.name if folder.parent.name == "snapshots" else folder.name


def _find_published(path: Path) -> TurboKind | None:
    """Find a file among the published ones by its content. Reads it only where the size is one."""
    if not path.is_file() or path.stat().st_size not in _PUBLISHED:
        return None
    status = path.stat()
    known = _PUBLISHED[status.st_size].get(_hash(path, status.st_mtime_ns))
    if known is None:
        return None
    family, steps, guided = known
    return TurboKind(family, steps, _PRESERVED if guided else 1.0, "as its content says")


@functools.lru_cache
def _hash(path: Path, _changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_names(header: Header) -> TurboKind:
    """Read what the names of a file say; one of which they say nothing counts as Lightning's."""
    names = [name_turbo(header.path), *(header.metadata.get(key, "") for key in _TITLES)]
    for name in names:
        family = next((one for one, words in _FAMILIES.items() if words.search(name)), None)
        guided = _GUIDED.search(name) is not None
        if family is None and not guided:
            continue
        if family is None or guided:  # only Hyper-SD's preserve guidance
            family = _HYPER
        steps = _STEPS.search(name)
        default = _DMD2_STEPS if family == "DMD2" else _DEFAULT_STEPS
        return TurboKind(
            family,
            int(steps[1]) if steps else default,
            _PRESERVED if guided else 1.0,
            f"as its name {name!r} says",
        )
    return TurboKind(_LIGHTNING, _DEFAULT_STEPS, 1.0, "since nothing says otherwise")
