"""What the SDXL engine cannot do, told before it is loaded: it depends on the settings alone."""

from plitka.request.recipe import Recipe, RecipeError
from plitka.weights.settings import TURBO_LORA


def check_recipe(recipe: Recipe, has_turbo: bool) -> None:
    """Raise RecipeError if a recipe asks for something that the engine cannot do.

    has_turbo: whether it is loaded with the distilled LoRA of the quality `turbo`.
    """
    if recipe.quality == "turbo" and not has_turbo:
        raise RecipeError(
            'quality: "turbo" needs a distilled LoRA, and this engine was loaded without one;'
            f" take another quality, or set {TURBO_LORA} before the start"
        )
    scale = recipe.overrides.lora_scale
    if scale is not None:
        raise RecipeError(
            f"overrides.lora_scale: got {scale:g}, but the LoRA is fused into the model when it"
            " is loaded, so its scale is the same for all requests; leave it out, and set"
            " PLITKA_LORA_SCALE before the start"
        )
