"""The sdxl engine: the diffusion model with its LoRA, embeddings and ControlNets.

Imports: tile, weights, request, runtime, errors; in the product alone torch and diffusers.
"""
