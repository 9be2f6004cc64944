"""Recipe -> prompt and negative prompt, in the words that the LoRA was trained on."""

from dataclasses import dataclass

from plitka.request.recipe import Recipe
from plitka.request.shares import ColorShare

DEFAULT_NEGATIVE_PROMPT = (
    "object, blurry, worst quality, low quality, deformed, watermark, 3d render, cartoon, "
    "abstract, smooth, flat"
)

DEFAULT_TRIGGER = "ohwx_rubber_tile"
_SURFACE = "photorealistic rubber tile, high quality, detailed texture"


@dataclass(frozen=True)
class Subject:
    """What the prompt begins with: the word and the tokens that the weights were trained on.

    vectors: of the textual inversion, one token for each; 0 without embeddings.
    """

    trigger: str = DEFAULT_TRIGGER
    vectors: int = 2

    @property
    def tokens(self) -> tuple[str, ...]:
        """<s0>, <s1> and so on, as trainers name them."""
        return tuple(f"<s{number}>" for number in range(self.vectors))

    @property
    def text(self) -> str:
        """As it stands in the prompt: "ohwx_rubber_tile <s0><s1>"."""
        return f"{self.trigger} {''.join(self.tokens)}".rstrip()


DEFAULT_SUBJECT = Subject()


def build_prompt(recipe: Recipe, subject: Subject = DEFAULT_SUBJECT) -> str:
    """Write the prompt of both pictures."""
    return ", ".join([subject.text, *map(_write_share, recipe.shares), _SURFACE])


def build_negative_prompt(recipe: Recipe) -> str:
    """Take the request's own, which may be empty, else DEFAULT_NEGATIVE_PROMPT."""
    own = recipe.overrides.negative_prompt
    return DEFAULT_NEGATIVE_PROMPT if own is None else own


def _write_share(part: ColorShare) -> str:
    # Rounding: 0.57 * 100 is 56.99999999999999, and that is 57%.
    percent = int(part.share * 100 + 1e-9)
    return f"{percent}% {part.color.phrase if part.color.is_free else part.name}"
