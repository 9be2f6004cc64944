"""The photo bank: one-colour photographs, evened and cut into granules, that tiles are made of.

Imports: matching, request, errors, and what lies below them.
"""
