"""Image files: PNG with the record of how it was made, and any photograph as sRGB pixels.

Imports: whole_file.
"""
