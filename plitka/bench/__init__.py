"""python -m plitka bench: the old system's procedure and Plitka's, timed and counted side by side.

Imports: pipeline and what lies below it, torch and diffusers.
"""
