"""The training of SDXL itself: networks, loop, states, evaluation. Here alone torch is imported.

Imports: training, and what lies below it.
"""
