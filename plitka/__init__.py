"""Plitka: photorealistic rubber-crumb tiles with exactly the colours that were asked for."""

__version__ = "5.1.0"
