"""What goes wrong with a photograph whose floor is to be laid."""

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal["corners", "sides", "outline", "small"]
"""corners: no quadrangle that a floor can have. sides: not of a floor's size. outline: of the floor
or a hole, is none. small: of the floor, nothing is in the picture."""


class UnusableFloor(ValueError):
    """A floor that cannot be laid into a photograph. reason: what is wrong."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason
