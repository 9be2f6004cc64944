"""The pictures of an offer, drawn: the surface, and a room whose floor is laid with it."""

from plitka.designer import room_view
from plitka.designer.renderer import CheckCancelled, Renderer
from plitka.images import photograph
from plitka.images.jpeg import encode_jpeg
from plitka.offer.content import Pictures
from plitka.request.plan import PICTURE_SIZES
from plitka.request.recipe import Recipe

_SCENE_QUALITY = 88  # of JPEG, 0 to 100


def draw_pictures(
    recipe: Recipe, renderer: Renderer, check_cancelled: CheckCancelled = lambda: None
) -> Pictures:
    """Draw the pictures of an offer; the recipe's seed must be drawn already."""
    tile = renderer.draw_draft(recipe, check_cancelled, PICTURE_SIZES["final"])
    check_cancelled()
    room = room_view.render_room(photograph.read(tile).pixels, recipe.angle, recipe.seed)
    return Pictures(tile, encode_jpeg(room, _SCENE_QUALITY))
