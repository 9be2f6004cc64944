"""Texture: a recipe -> a texture that repeats without a seam, with its maps for renderers.

`seamless.render_seamless(recipe, size, frames)` is the picture alone, with its map of granules.

Imports: tile, images, and what lies below them.
"""
