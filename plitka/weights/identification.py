"""Says what a file of weights is, by its tensors, and which setting it is for.

Used where a file is not what its setting asks for, so that the sentence names what it is.
"""

from dataclasses import dataclass

from plitka.errors import WeightsError
from plitka.weights.header import Header, list_names


@dataclass(frozen=True)
class Identity:
    """What a file is.

    title: with its article, "a whole SDXL checkpoint". setting: the variable that takes such a
    file, None where Plitka has no use for it.
    """

    title: str
    setting: str | None


def identify(header: Header) -> Identity | None:
    """Say what a file is; None for a file of no known kind."""
    return None


def explain_wrong_file(header: Header, wanted: str, setting: str) -> WeightsError:
    """Make the error for a file that is something else than its setting asks for.

    wanted: with its article, "a LoRA for SDXL". setting: the variable that named the file.
    """
    identity = identify(header)
    if identity is None:
        return WeightsError(
            f"{header.title}: not {wanted}, it holds {list_names(header.shapes)}; set {setting} to"
            f" {wanted}"
        )
    if identity.setting is None:
        return WeightsError(
            f"{header.title}: {identity.title}, not {wanted}, and Plitka has no use for it; set"
            f" {setting} to {wanted}"
        )
    return WeightsError(
        f"{header.title}: {identity.title}, not {wanted}; name it with {identity.setting}, and set"
        f" {setting} to {wanted}"
    )
