"""What is wrong with an order's figures, in a form that a page can say in the user's language."""

from plitka.messages.message import Said, SpokenError


class OrderError(SpokenError):
    """A figure of an order that is none, or out of its bounds; the message says what is allowed.

    field: its name, as in `inputs.FIELDS`, "areas" or "color". color: whose, or "". low, high: the
    bounds, as they are written; "" where the fault is another one.
    """

    def __init__(
        self, message: Said, field: str, color: str = "", low: str = "", high: str = ""
    ) -> None:
        super().__init__(message)
        self.field = field
        self.color = color
        self.low = low
        self.high = high
