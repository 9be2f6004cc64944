"""What makes photographs for the designer: the sdxl engine here, a Cog server, or Replicate.

Imports: pipeline and what lies below it, and settings.
"""
