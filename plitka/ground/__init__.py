"""The ground: surfaces that are laid with mixes, in zones; seen from anywhere, measured, drawn.

Imports: tile, request, color.
"""
