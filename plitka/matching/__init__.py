"""Matching: gives a picture the shares and palette colours of a layout.

Imports: tile, measure, color, plitka.arrays.
"""
