"""The sdxl engine: the diffusion model with its LoRA, embeddings and ControlNets.

Imports: tile, weights, request, runtime, errors; it alone of what draws, torch and diffusers.
"""
