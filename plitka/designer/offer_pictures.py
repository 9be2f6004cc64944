"""The pictures of an offer, drawn: the granules, and a floor that is laid with them."""

from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.images.jpeg import encode_jpeg
from plitka.offer.content import Pictures
from plitka.request.plan import PICTURE_SIZES
from plitka.request.recipe import Recipe
from plitka.scene.render import render_scene
from plitka.scene.scenes import SCENES

_SCENE_QUALITY = 88  # of JPEG, 0 to 100


def draw_pictures(
    recipe: Recipe, renderer: Renderer, check_cancelled: CheckCancelled = lambda: None
) -> Pictures:
    """Draw the pictures of an offer: with a room, or with the recipe's surface from above.

    The recipe's seed must be drawn already.
    """
    tile = renderer.draw_draft(recipe, check_cancelled, PICTURE_SIZES["final"])
    check_cancelled()
    if recipe.surface is not None:
        return Pictures(tile, renderer.draw_plan(recipe, check_cancelled), is_plan=True)
    room = render_scene(SCENES["room"], renderer.make_ground(recipe, check_cancelled))
    return Pictures(tile, encode_jpeg(room, _SCENE_QUALITY))
