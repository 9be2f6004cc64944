"""Numbers of SDXL's published configuration that distinguish it from other models."""

WIDTHS = {"clip_l": 768, "clip_g": 1280}  # of SDXL's two text encoders
CROSS_ATTENTION = 2048  # the two together
SD15_SCALING = 0.18215  # of a VAE's latents; SDXL's is 0.13025
OTHER_FAMILIES = {768: "SD 1.5", 1024: "SD 2"}  # by the width that cross-attention reads
