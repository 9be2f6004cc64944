"""Tile: lays the granules of a recipe and draws them without a model.

Imports: request, color, plitka.arrays.
"""
