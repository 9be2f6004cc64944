"""The designer: a page in the browser on which tiles are mixed, seen, shared and photographed.

Imports: pipeline and what lies below it; run.py, a face of the program, also settings.
"""
