"""The photo bank: one-colour photographs, evened and cut into granules, that tiles are made of.

Imports: matching, measure, images, tile, color, runtime, whole_file.
"""
