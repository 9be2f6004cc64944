"""Cog's interface to training: photographs in, a package of weights out."""
