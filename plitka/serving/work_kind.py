"""What a server does for those who ask: predictions or trainings. Cog's server does one of both."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkKind:
    """One of both, as addresses and answers name it.

    plural: in addresses. max_body, body_seconds: bytes of a request's body, and seconds in which it
    has to arrive. most_bodies: of that size at the most, received at once; None for as many as
    come. prefix: of ids that are made for requests without one. example: an input. files:
    inputs that are files, by an address or as data. texts: inputs that have to be there, as texts.
    arguments: what Cog's server is started with. queues: whether who comes while it works waits.
    """

    plural: str
    max_body: int
    body_seconds: float
    most_bodies: int | None
    prefix: str
    example: str
    files: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    queues: bool = False

    @property
    def name(self) -> str:
        return self.plural.removesuffix("s")

    @property
    def body(self) -> str:
        """A request's body, in short."""
        return f'{{"input": {self.example}}}'

    @property
    def place(self) -> tuple[str, str]:
        """The place of an id in an address, as refusals name it."""
        return "path", f"{self.name}_id"


PREDICTIONS = WorkKind(
    "predictions",
    max_body=512 * 1024,  # a request of 64 KB, each of its bytes escaped, has 400
    body_seconds=60.0,
    most_bodies=None,
    prefix="tile",
    example=r'{"params_json": "{\"colors\": …}"}',
    texts=("params_json",),
    queues=True,
)
TRAININGS = WorkKind(
    "trainings",
    max_body=100 * 2**20,  # all that Cog takes: 75 MB of photographs
    body_seconds=600.0,
    most_bodies=2,
    prefix="training",
    example='{"images": "https://…"}',
    files=("images", "resume"),
    arguments=("--x-mode", "train"),
)
REFUSED = {
    PREDICTIONS.plural: "this server trains, and makes no pictures; start another without --train",
    TRAININGS.plural: "this server trains nothing; start another with --train",
}
"""Why the other kind is not done."""
