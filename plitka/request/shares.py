"""Shares: how much of a mix each colour is, and the words that said so."""

from dataclasses import dataclass, field

from plitka.color.palette import Color
from plitka.color.words import Understood


@dataclass(frozen=True)
class WordShare:
    """A word of the request for a colour, and its share, 0 to 1."""

    understood: Understood
    share: float


@dataclass(frozen=True)
class ColorShare:
    """How much of a mix's visible area one colour covers.

    words: of the request; several where they mean one colour, none where it was not read from
    words. Recipes are equal whatever the words were.
    """

    color: Color
    name: str  # as written, in lower case; a code became its phrase, a free colour keeps its hex
    share: float  # above 0; the shares of a mix add up to 1
    words: tuple[WordShare, ...] = field(default=(), compare=False)

    def entries(self) -> list[dict[str, object]]:
        """Write the entries of a request's `colors` for it, in the words that were used."""
        if not self.words:
            key = "hex" if self.color.is_free else "name"
            return [{key: self.name, "proportion": self.share}]
        return [
            {"hex" if said.understood.source == "hex" else "name": said.understood.word}
            | {"proportion": said.share}
            for said in self.words
        ]
