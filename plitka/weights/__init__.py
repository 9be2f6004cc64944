"""The SDXL engine's files: where each is, whether it is what it should be, and how it is fetched.

Torch is not needed for any of it. Imports: runtime, errors.
"""
