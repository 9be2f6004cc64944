"""Measure: which colours a picture of a tile shows, and on which share of its area.

Imports: color, images, runtime, plitka.arrays.
"""
