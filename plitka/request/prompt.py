"""Recipe -> prompt and negative prompt, in the words that the LoRA was trained on."""

from plitka.request.recipe import ColorShare, Recipe

DEFAULT_NEGATIVE_PROMPT = (
    "object, blurry, worst quality, low quality, deformed, watermark, 3d render, cartoon, "
    "abstract, smooth, flat"
)

_SUBJECT = "ohwx_rubber_tile"
_TOKENS = "<s0><s1>"  # the textual inversion's
_SURFACE = "photorealistic rubber tile, high quality, detailed texture"


def build_prompt(recipe: Recipe, tokens: bool = True) -> str:
    """Write the prompt of both pictures. tokens: False for a model without the embeddings."""
    subject = f"{_SUBJECT} {_TOKENS}" if tokens else _SUBJECT
    return ", ".join([subject, *map(_write_share, recipe.shares), _SURFACE])


def build_negative_prompt(recipe: Recipe) -> str:
    """Take the request's own, which may be empty, else DEFAULT_NEGATIVE_PROMPT."""
    own = recipe.overrides.negative_prompt
    return DEFAULT_NEGATIVE_PROMPT if own is None else own


def _write_share(part: ColorShare) -> str:
    # Rounding: 0.57 * 100 is 56.99999999999999, and that is 57%.
    percent = int(part.share * 100 + 1e-9)
    return f"{percent}% {part.color.phrase if part.color.is_free else part.name}"
