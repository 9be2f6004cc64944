"""Training: a maker's photographs -> a LoRA and embeddings of his own, packed for `setup(weights)`.

Imports: pipeline, and what lies below it.
"""
