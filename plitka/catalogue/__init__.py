"""A table of recipes -> a tile for each, their tables, a contact sheet and a PDF sheet.

Imports: pipeline.
"""
