"""Color: the palette of granule colours, and all colour arithmetic.

Imports: nothing but plitka.arrays.
"""
